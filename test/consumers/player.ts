// Plays a program's way of calling the tools twice: through the drop-ins on a running gateway, and with Debian's own in a network
// namespace. Every command has to print the same and end with the same status, and what is saved in the end has to be the same.
// A play is text: a line is a command as a shell has it, and `<<<` behind one begins its standard input, up to a line `<<<`.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { native } from '../device/with-native.ts'
import { command, newDirectory, RunningGateway } from '../gateway/lab.ts'
import { needsIpset } from '../ipset/real-ipset.ts'

const LEGACY = '/usr/sbin/xtables-legacy-multi'
const NAMES = ['iptables', 'ip6tables'].flatMap((name) =>
  ['', '-legacy'].flatMap((variant) => ['', '-save', '-restore'].map((what) => `${name}${variant}${what}`)),
)

interface Said {
  readonly command: string
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * Saved tables, without those in which nothing is: Linux lists the tables that somebody looked at, each before those that were
 * looked at earlier.
 */
function tablesInOrder(saved: string): string {
  return saved
    .split(/^# .*\n/m)
    .filter((table) => /^(-A|:.* DROP |:.* - )/m.test(table))
    .sort()
    .join('')
}

/** What no two runs have in common: dates, a set's seed and size, and the order of its members. */
function comparable(text: string): string {
  return text
    .replace(/^# Generated [\s\S]*?^COMMIT\n# Completed [^\n]*\n(?![\s\S]*^# Generated)/m, tablesInOrder)
    .replace(/initval 0x[0-9a-f]+/g, 'initval X')
    .replace(/Size in memory: \d+/g, 'Size in memory: N')
    .replace(/timeout [1-9]\d*/g, 'timeout T')
    .replace(
      /(?:^(?:add \S+ )?\d[\d.a-f:]*[.:][^\n]*\n)+/gm,
      (members) => `${members.trim().split('\n').sort().join('\n')}\n`,
    )
}

/** Where only people read, more is said here: where in its input a restore went wrong, and why. */
function comparableError(text: string): string {
  return comparable(text)
    .replace(/^(ip6?tables-restore: )line \d+, column \d+: .*\n/gm, '')
    .replace(/^(ip6?tables-restore v[^:]*: )line \d+, column \d+: /gm, '$1')
    .replace(/\n+/g, '\n')
}

const SEPARATOR = '\x1e'

function commandsOf(play: string): { command: string; input: string | undefined }[] {
  const commands: { command: string; input: string | undefined }[] = []
  const lines = play.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!.trim()
    if (line === '' || line[0] === '#') continue
    if (!line.endsWith('<<<')) {
      commands.push({ command: line, input: undefined })
      continue
    }
    const end = lines.findIndex((each, at) => at > i && each.trim() === '<<<')
    if (end < 0) throw new Error(`no end of the input of: ${line}`)
    const input = lines.slice(i + 1, end).map((each) => `${each.trim()}\n`)
    commands.push({ command: line.slice(0, -3).trim(), input: input.join('') })
    i = end
  }
  return commands
}

function run(play: string, directory: string, path: string, wrap: readonly string[], env: NodeJS.ProcessEnv): Said[] {
  const commands = commandsOf(play)
  const script = commands.map(({ command, input }, i) => {
    if (input !== undefined) writeFileSync(join(directory, `input${i}`), input)
    const from = input === undefined ? '/dev/null' : join(directory, `input${i}`)
    return `${command} <${from}\nprintf '${SEPARATOR}%d${SEPARATOR}' $?; printf '${SEPARATOR}' >&2`
  })
  const [program = '', ...words] = [...wrap, 'sh', '-s']
  const done = spawnSync(program, words, {
    ...{ input: script.join('\n'), encoding: 'utf8', cwd: directory, maxBuffer: 1 << 28 },
    env: { ...env, PATH: `${path}:${process.env.PATH}` },
  } as const)
  const [out, err] = [done.stdout.split(SEPARATOR), done.stderr.split(SEPARATOR)]
  if (out.length !== 2 * commands.length + 1) throw new Error(`the play broke off: ${done.stderr.slice(-2000)}`)
  return commands.map(({ command }, i) => ({
    command,
    status: Number(out[2 * i + 1]),
    stdout: comparable(out[2 * i]!),
    stderr: comparableError(err[i]!),
  }))
}

const EPILOGUE = 'iptables-save\nip6tables-save\nipset save\n'

const reason = native === undefined || !existsSync(LEGACY) ? 'needs the native addon and iptables-legacy' : ''

/** A test that plays, and compares. */
export function plays(title: string, play: string): void {
  const [name, options] = needsIpset(reason ? `${title} (skipped: ${reason})` : title)
  test(name, { ...options, skip: options.skip || reason !== '' }, async () => {
    const directory = newDirectory({ 'gateway.yaml': 'devices: {}\n' })
    const real = join(directory, 'real')
    mkdirSync(real)
    for (const each of NAMES) symlinkSync(LEGACY, join(real, each))
    const gateway = new RunningGateway(directory, ['--config', 'gateway.yaml', '--control', 'socket'])
    await gateway.until('"started"')
    const linked = spawnSync(command, ['link', join(directory, 'bin')], { encoding: 'utf8' })
    expect(linked.stderr).toBe('')
    chmodSync(directory, 0o755)
    const lock = { ...process.env, XTABLES_LOCKFILE: join(directory, 'lock') }
    const expected = run(play + EPILOGUE, directory, real, ['unshare', '-n'], lock)
    const socket = { ...process.env, TUNFILTER_CONTROL: join(directory, 'socket') }
    const here = run(play + EPILOGUE, directory, join(directory, 'bin'), [], socket)
    for (const [i, said] of here.entries()) expect(said).toEqual(expected[i])
    // What both refuse alike proves little.
    expect(expected.filter(({ status }) => status === 0).length).toBeGreaterThan(expected.length / 2)
    gateway.signal('SIGTERM')
    await gateway.ended
  })
}
