// nfacct's commands, and rules that name its objects: what is done, printed and refused is what the real nfacct and iptables do in a
// namespace of their own.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runCommand } from '../../src/control/in-process.ts'
import { MemoryDevice } from '../../src/device/memory.ts'
import { Engine } from '../../src/engine.ts'
import { VirtualClock } from '../../src/time.ts'
import { packetsOf } from '../support/packet/index.ts'

const COMMANDS = `nfacct list
nfacct add a
nfacct add a
nfacct add b packet 5
nfacct add c byte 1000
nfacct add d packet
nfacct add e foo 5
nfacct add f packet x
nfacct add abcdefghijklmnopqrstuvwxyzabcdefgh
nfacct add abcdefghijklmnopqrstuvwxyz12345
nfacct list
nfacct get a
nfacct get zz
nfacct delete zz
nfacct get
nfacct add
nfacct delete
nfacct foo
nfacct
nfacct add g packet 5 extra
nfacct get a extra
nfacct get a reset
nfacct list reset
nfacct list xml
nfacct list json
nfacct list foo
nfacct restore < { pkts = 00000000000000000007, bytes = 00000000000000000100 } = r;
nfacct restore < { pkts = 00000000000000000009, bytes = 00000000000000000100 } = r;
nfacct restore < garbage
nfacct restore < { pkts = 1, bytes = 2 } = x;\\ngarbage\\n{ pkts = 1, bytes = 2 } = y;
nfacct list
nfacct delete r
nfacct delete x
iptables -A INPUT -m nfacct --nfacct-name a
iptables -A INPUT -m nfacct --nfacct-name zz
iptables -A INPUT -m nfacct --nfacct-name abcdefghijklmnopqrstuvwxyzabcdeXX
iptables -C INPUT -m nfacct --nfacct-name a
iptables -C INPUT -m nfacct --nfacct-name zz
iptables -S INPUT
iptables -nL INPUT
nfacct delete a
nfacct flush
nfacct list
iptables -F INPUT
nfacct delete a
nfacct list
ip6tables -A INPUT -m nfacct --nfacct-name a
nfacct add a
ip6tables -A INPUT -m nfacct --nfacct-name a
nfacct delete a`.split('\n')

/** As programs read it: the clock, and what follows a message of iptables' own, are left out. */
const comparable = (text: string) =>
  text
    .replace(/"timestamp" : \d+/, '"timestamp" : 0')
    .replace(/(invalid line) .*/, '$1')
    .replace(/(v1.8.9 \(legacy\)|Invalid argument\.).*/s, '$1')

const folder = mkdtempSync(join(tmpdir(), 'tunfilter-nfacct-'))

/** A command, and what it reads. */
function inputOf(line: string): [command: string, input: string | undefined] {
  const [command, input] = line.split(' < ')
  return [command, input === undefined ? undefined : `${input.replaceAll('\\n', '\n')}\n`]
}

function there(): string[] {
  const real = (line: string) => line.replace(/^(ip6?tables)/, '$1-legacy')
  const script = COMMANDS.map((line) => {
    const [command, input] = inputOf(line)
    const from = input === undefined ? '' : ` <<'END'\n${input}END`
    return `${real(command)} 2>&1${from}\necho "status $?"; printf '\\0'`
  })
  const input = `export XTABLES_LOCKFILE=${folder}/lock\n${script.join('\n')}`
  const { stdout } = spawnSync('unshare', ['-n', 'sh'], { input, encoding: 'utf8' })
  rmSync(folder, { recursive: true })
  return stdout.split('\0').slice(0, -1)
}

const open = (accounting = {}) => {
  const lan = new MemoryDevice('lan')
  const config = { devices: { lan: { addresses: ['10.0.1.1/24'] } }, accounting }
  return { lan, engine: Engine.open({ config, devices: new Map([['lan', lan]]), clock: new VirtualClock(7000) }) }
}

const has = spawnSync('unshare', ['-n', 'sh', '-c', 'nfacct add a && iptables-legacy -V'], { encoding: 'utf8' }).stdout
const skip = !has?.includes('v1.8.9')

describe('nfacct', () => {
  test('the real tools do and print the same' + (skip ? ' (skipped: needs root, nfacct and iptables 1.8.9)' : ''), {
    skip,
  }, () => {
    const { engine } = open()
    const here = COMMANDS.map((line) => {
      const { status, stdout, stderr } = runCommand(engine, inputOf(line)[0].split(' '), inputOf(line)[1])
      return `${stdout}${stderr}status ${status}\n`
    })
    const real = there()
    expect(COMMANDS.map((line, i) => `$ ${line}\n${comparable(here[i])}`)).toEqual(
      COMMANDS.map((line, i) => `$ ${line}\n${comparable(real[i])}`),
    )
    engine.close()
  })

  test('objects of the configuration count, with a quota that a rule matches from where it is exceeded', () => {
    const { lan, engine } = open({ all: {}, three: { packets: 3 }, some: { bytes: 100 } })
    engine.load(`*filter
-A FORWARD -m nfacct --nfacct-name all
-A FORWARD -m nfacct --nfacct-name three
-A FORWARD -m nfacct --nfacct-name some
COMMIT
`)
    for (let i = 0; i < 5; i++) for (const packet of packetsOf('udp 10.0.1.2:1 > 10.0.1.9:1 len 20')) lan.inject(packet)
    engine.step()
    const lines = engine.nfacct(['list', 'reset']).stdout
    expect(lines.replace(/0{5,}/g, '')).toBe(
      `{ pkts = 5, bytes = 240 } = all;
{ pkts = 5, bytes = 240, quota = 3, mode = packet, overquota = yes } = three;
{ pkts = 5, bytes = 240, quota = 100, mode = byte, overquota = yes } = some;
`,
    )
    expect(engine.saveRules({ counters: true }).match(/\[(\d+):\d+\] -A/g)).toEqual([
      '[5:240] -A',
      '[2:96] -A',
      '[3:144] -A',
    ])
    expect(engine.nfacct(['get', 'three']).stdout).toContain('overquota = no')
    engine.close()
    const again = open().engine
    expect(again.nfacct(['restore'], lines).status).toBe(0)
    expect(again.nfacct(['list']).stdout).toBe(lines)
    expect(again.nfacct(['restore'], 'add x\n')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('invalid line 1'),
    })
    again.close()
  })

  test('what no rule can name, or that is not there, is refused', () => {
    expect(() => open({ 'a b': {} })).toThrow("accounting: 'a b'")
    const { engine } = open()
    const rule = '*filter\n-A INPUT -m nfacct --nfacct-name no\nCOMMIT\n'
    expect(() => engine.load(rule)).toThrow("accounting object 'no' is not there")
    engine.close()
  })
})
