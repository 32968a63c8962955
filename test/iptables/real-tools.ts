// The real iptables as judge: rule files through iptables-legacy-restore and -save in a network namespace of their own.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Judgement = { readonly saved: string } | { readonly refused: string }

const reason = tryTools()

function tryTools(): string {
  if (process.getuid?.() !== 0) return 'needs root'
  const tried = spawnSync('unshare', ['-n', 'sh', '-c', 'iptables-legacy --version && iptables-legacy -S'], {
    encoding: 'utf8',
  })
  if (tried.status !== 0) return `needs iptables-legacy in a namespace: ${tried.stderr.trim()}`
  return tried.stdout.includes('v1.8.9') ? '' : `needs iptables 1.8.9, found ${tried.stdout.split('\n')[0]}`
}

/** Title and options for a test that asks the real tools; skipped, with the reason in its name, where they cannot be had. */
export const needsIptables = (title: string) =>
  [reason ? `${title} (skipped: ${reason})` : title, { skip: reason !== '', timeout: 600_000 }] as const

/**
 * What the tools make of each file, each in tables that are empty. Comment lines are left out of the saved form.
 * @param options.before commands that are run first
 */
export function judge(files: readonly string[], { family = 4, counters = false, before = '' } = {}): Judgement[] {
  const folder = mkdtempSync(join(tmpdir(), 'tunfilter-rules-'))
  const tool = family === 4 ? 'iptables-legacy' : 'ip6tables-legacy'
  const flag = counters ? '-c' : ''
  // A namespace each would be simplest, and slow to make: the tables are emptied instead, policies included.
  const tables = ['raw', 'mangle', 'nat', 'filter', 'security']
  const empty = tables.map((t) => `*${t}\n${HOOKS[t].map((h) => `:${h} ACCEPT [0:0]\n`).join('')}COMMIT\n`).join('')
  try {
    files.forEach((text, i) => {
      writeFileSync(join(folder, `${i}.rules`), text)
    })
    writeFileSync(join(folder, 'empty'), empty)
    const script = `cd ${folder} && export XTABLES_LOCKFILE=${folder}/lock && i=0
      ${before}
      while [ $i -lt ${files.length} ]; do
        if ${tool}-restore ${flag} < $i.rules 2> $i.refused; then ${tool}-save ${flag} > $i.saved; ${tool}-restore -c < empty; fi
        i=$((i + 1))
      done`
    const run = spawnSync('unshare', ['-n', 'sh', '-c', script], { encoding: 'utf8' })
    if (run.status !== 0) throw new Error(`the real tools failed: ${run.stderr}`)
    return files.map((text, i) => {
      const refused = readFileSync(join(folder, `${i}.refused`), 'utf8')
      const named = new Set(text.match(/^\*\s*\w+/gm)?.map((line) => line.slice(1).trim()))
      try {
        return { saved: tablesOf(readFileSync(join(folder, `${i}.saved`), 'utf8'), named) }
      } catch {
        // What is only warned of stands before it.
        return { refused: refused.replace(/^(warn|Warning): .*\n/gim, '').split('\n')[0] }
      }
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const HOOKS: Readonly<Record<string, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
}

/** The blocks of these tables, without comment lines, in the order of their names: the tables outlive a file here. */
export function tablesOf(saved: string, named?: ReadonlySet<string>): string {
  return saved
    .replace(/^#.*\n/gm, '')
    .split(/(?<=^COMMIT\n)/m)
    .filter((block) => named === undefined || named.has(block.slice(1, block.indexOf('\n'))))
    .sort()
    .join('')
}
