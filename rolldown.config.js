// How TypeScript becomes JavaScript: file by file, with constants from other modules written in as numbers.
//
// Node 20 does not fold imported constants: optimised code loads a cell and checks it at every use of `f.WORDS` or
// `ip.TTL`. Written in, an established packet's way in memory takes 580 ns instead of 690 (`scripts/bench memory`, both
// builds in turn). Files stay apart, so that stack traces and profiles name the module.

/** What is run beside the sources, from a folder of its own. */
const BESIDE = { bench: ['bench/main'], judge: ['test/kernel/judge/main'], fuzz: ['test/fuzz/main'] }
const beside = BESIDE[process.env.TUNFILTER_BUILD]
const root = beside ? '.' : 'src'
const entries = beside ?? ['index', 'cli/main', 'gateway/worker', 'gateway/queue-worker']

export default {
  input: Object.fromEntries(entries.map((entry) => [entry, `${root}/${entry}.ts`])),
  platform: 'node',
  // Packages and Node's own modules stay imports.
  external: (id) => !/^[./]/.test(id),
  optimization: { inlineConst: { mode: 'all', pass: 3 } },
  output: {
    format: 'esm',
    preserveModules: true,
    preserveModulesRoot: root,
    entryFileNames: '[name].js',
    sourcemap: true,
  },
}
