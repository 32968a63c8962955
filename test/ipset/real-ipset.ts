// The real ipset as judge: commands, one after the other, in a network namespace of their own.

import { spawnSync } from 'node:child_process'
import type { IpsetResult } from '../../src/ipset/command.ts'

const reason = tryIpset()

function tryIpset(): string {
  if (process.getuid?.() !== 0) return 'needs root'
  const tried = spawnSync('unshare', ['-n', 'sh', '-c', 'ipset version && ipset list'], { encoding: 'utf8' })
  if (tried.error !== undefined || tried.status !== 0)
    return `needs ipset in a namespace (Debian: apt-get install ipset): ${(tried.stderr ?? String(tried.error)).trim()}`
  return tried.stdout.includes('v7.17') ? '' : `needs ipset 7.17, found ${tried.stdout.split('\n')[0]}`
}

/** Title and options for a test that asks the real ipset; skipped, with the reason in its name, where it cannot be had. */
export const needsIpset = (title: string) =>
  [reason ? `${title} (skipped: ${reason})` : title, { skip: reason !== '', timeout: 120_000 }] as const

export interface Asked {
  readonly argv: readonly string[]
  readonly stdin?: string
}

/** Set types that this kernel has. */
export function kernelTypes(names: readonly string[]): string[] {
  const forms: Record<string, string> = { 'bitmap:port': 'range 1-9' }
  const answers = askReal(
    names.map((name, i) => {
      const extra = forms[name] ?? (name.startsWith('bitmap') ? 'range 10.0.0.0/24' : '')
      return { argv: `create s${i} ${name} ${extra}`.trim().split(' ') }
    }),
  )
  return names.filter((_, i) => answers[i].status === 0)
}

/** What the real one says to each, in one namespace that is empty to begin with. */
export function askReal(asked: readonly Asked[]): IpsetResult[] {
  const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`
  const script = asked.map(({ argv, stdin }) => {
    const feed = stdin === undefined ? '</dev/null' : `<<'END-OF-INPUT'\n${stdin.replace(/\n?$/, '\n')}END-OF-INPUT`
    return `ipset ${argv.map(quote).join(' ')} ${feed}\ns=$?; printf '\\036%d\\036' $s; printf '\\036' >&2`
  })
  const run = spawnSync('unshare', ['-n', 'sh'], { input: script.join('\n'), encoding: 'utf8', maxBuffer: 1 << 28 })
  const out = run.stdout.split('\x1e')
  const err = run.stderr.split('\x1e')
  if (out.length !== 2 * asked.length + 1) throw new Error(`the real ipset failed: ${run.stderr.slice(-2000)}`)
  return asked.map((_, i) => ({ status: Number(out[2 * i + 1]), stdout: out[2 * i], stderr: err[i] }))
}
