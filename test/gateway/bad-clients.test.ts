// A running gateway, its packets and its other clients, while somebody misbehaves: rules that are too deep, that run in a circle, or
// too many; input that is too long or no text at all; clients that stop half way, flood, or never read.

import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { call } from '../../src/control/client.ts'
import * as wire from '../../src/control/frame.ts'
import { needsTun } from '../device/with-native.ts'
import { newControlLab } from './lab.ts'

const done = { status: 0, stdout: '', stderr: '' }
const argumentsOf = (...words: string[]) => wire.frame(wire.ARGUMENTS, words.map((word) => `${word}\0`).join(''))

async function newLab() {
  const lab = await newControlLab()
  const path = join(lab.directory, 'socket')
  expect(lab.run('iptables -A INPUT -p icmp -m comment --comment kept -j ACCEPT')).toEqual(done)
  const before = lab.run('iptables-save').stdout.replace(/^#.*\n/gm, '')
  const sockets: Socket[] = []
  /** A client of its own kind; it stays until the test ends. */
  const open = async (...pieces: Buffer[]) => {
    const socket = connect(path)
    sockets.push(socket)
    socket.on('error', () => {})
    await new Promise((resolve) => socket.once('connect', resolve))
    for (const piece of pieces) socket.write(piece)
    return socket
  }
  /** Packets are answered, others are served, and the rules are what they were. */
  const unharmed = async () => {
    expect(lab.answered()).toBe(true)
    const { status, stdout } = await call(path, ['iptables-save'])
    expect([status, stdout.replace(/^#.*\n/gm, '')]).toEqual([0, before])
    expect(lab.run('ipset list -n')).toEqual(done)
  }
  const memory = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${lab.gateway.pid}/status`, 'utf8'))?.[1]) / 1024
  const close = () => {
    for (const socket of sockets.splice(0)) socket.destroy()
  }
  return { ...lab, path, open, unharmed, memory, close }
}

const file = (...lines: string[]) => `*filter\n${lines.join('\n')}\nCOMMIT\n`
const count = (n: number, line: (i: number) => string) => Array.from({ length: n }, (_, i) => line(i))

describe('a gateway with clients that misbehave', () => {
  test(...needsTun('rules that cannot be are refused, each with a reason, and nothing is changed'), async () => {
    const { open, run, unharmed } = await newLab()
    const chain = (n: number) => count(n, (i) => `:C${i} - [0:0]`)
    const circle = [...chain(1000), ...count(1000, (i) => `-A C${i} -j C${(i + 1) % 1000}`), '-A INPUT -j C0']
    for (const [input, wanted] of [
      [file(...circle), /jumps run in a circle/],
      [file('-A INPUT -j INPUT'), /./],
      [`*filter\n-A INPUT -m comment --comment "${'x'.repeat(1 << 20)}"\nCOMMIT\n`, /line 2/],
      ['*filter\n-A INPUT -j\0DROP\nCOMMIT\n', /NUL/],
      ['\ufeff*filter\nCOMMIT\n', /line 1/],
      ['*filter\r\n-A INPUT -j DROP\r\nCOMMIT\r\n', /carriage return/],
      ['*filter\n-A INPUT -j DROP\n', /COMMIT/],
      ['-A INPUT -j DROP\n', /outside of any table/],
      ['x'.repeat(1 << 20), /line 1/],
    ] as const) {
      const { status, stdout, stderr } = run('iptables-restore', input)
      expect([status, stdout, stderr]).toEqual([expect.any(Number), '', expect.stringMatching(wanted)])
      expect(status).toBeGreaterThan(0)
      expect(stderr.length).toBeLessThan(10_000)
      await unharmed()
    }
    const encoded = (text: string, encoding: BufferEncoding) => Buffer.from(text, encoding) as unknown as string
    const latin1 = encoded('*filter\n-A INPUT -m comment --comment caf\xe9 -j DROP\nCOMMIT\n', 'latin1')
    expect(run('iptables-restore', latin1)).toEqual({
      status: 2,
      stdout: '',
      stderr: 'iptables-restore: line 2 of the input is not UTF-8: expected UTF-8 text\n',
    })
    const { status, stderr } = run('iptables-restore', encoded('*filter\nCOMMIT\n', 'utf16le'))
    expect([status, stderr]).toEqual([2, expect.stringContaining('there is a NUL byte here')])
    const socket = await open(wire.frame(wire.ARGUMENTS, Buffer.from('iptables\0-N\0caf\xe9\0', 'latin1')))
    let said = ''
    socket.on('data', (piece) => {
      said += piece.toString('latin1')
    })
    await new Promise((resolve) => socket.on('close', resolve))
    expect(said).toContain('an argument is not UTF-8: expected UTF-8 text\n')
    await unharmed()
  })

  test(...needsTun('a chain of 200,000 rules, and chains a thousand deep, load and go again'), async () => {
    const { run, unharmed, path } = await newLab()
    const many = count(200_000, (i) => `-A FORWARD -s 10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}/32 -j DROP`)
    const restored = await call(path, ['iptables-restore', '--noflush'], () => file(many.join('\n')))
    expect(restored).toEqual(done)
    expect(run('iptables -C FORWARD -s 10.3.13.63 -j DROP')).toEqual(done)
    expect(run('iptables -D FORWARD 100000')).toEqual(done)
    expect(run('iptables -F FORWARD')).toEqual(done)
    const deep = [
      ...count(1000, (i) => `:C${i} - [0:0]`),
      ...count(999, (i) => `-A C${i} -j C${i + 1}`),
      '-A C999 -j RETURN',
      '-I INPUT -j C0',
    ]
    expect(run('iptables-restore --noflush', file(...deep))).toEqual(done)
    expect(run('iptables -D INPUT -j C0')).toEqual(done)
    expect(
      run('iptables-restore --noflush', file(...count(1000, (i) => `-F C${i}`), ...count(1000, (i) => `-X C${i}`))),
    ).toEqual(done)
    await unharmed()
  })

  test(...needsTun('100 MB without a newline are refused when they are too much, and not kept'), async () => {
    const { open, unharmed, memory, close } = await newLab()
    const before = memory()
    for (const words of [['iptables-restore'], ['ipset', 'restore'], ['ip6tables-restore', '-n']]) {
      const socket = await open(argumentsOf(...words))
      let said = ''
      socket.on('data', (piece) => {
        said += piece.toString('latin1')
      })
      const ended = new Promise((resolve) => socket.on('close', resolve))
      const piece = wire.frame(wire.INPUT, Buffer.alloc(1 << 20, 'x'))
      for (let i = 0; i < 100 && !socket.destroyed; i++)
        if (!socket.write(piece)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), ended])
      await ended
      expect(said).toContain('the input is longer than 67108864 bytes')
      await unharmed()
    }
    close()
    // What was kept for a moment is given back to the heap, not to the system at once.
    expect(memory() - before).toBeLessThan(400)
  })

  test(...needsTun('who stops half way, floods, or never reads, disturbs nobody'), async () => {
    const { open, unharmed, run, memory, close, path } = await newLab()
    for (let i = 0; i < 50; i++) {
      const half = await open(argumentsOf('iptables-restore'), wire.frame(wire.INPUT, file('-A INPUT -j DROP')))
      const sets = await open(argumentsOf('ipset', 'restore'), wire.frame(wire.INPUT, 'create half hash:ip\n'))
      if (i % 2 === 0) half.destroy()
      if (i % 3 === 0) sets.destroy()
    }
    await unharmed()
    close()
    // A flood of commands that nobody waits for, and of what is no command at all.
    for (let i = 0; i < 300; i++) {
      await open(argumentsOf('iptables', '-S'), argumentsOf('iptables', '-S'), Buffer.alloc(10_000, 0xff))
      if (i % 50 === 0) close()
    }
    await unharmed()
    close()
    const sets = `create big hash:ip maxelem 1000000\n${count(100_000, (i) => `add big ${(i >>> 16) + 1}.${(i >> 8) & 255}.${i & 255}.1`).join('\n')}\n`
    expect(await call(path, ['ipset', 'restore'], () => sets)).toEqual(done)
    const before = memory()
    for (let i = 0; i < 40; i++) {
      const socket = await open()
      socket.pause()
      socket.write(argumentsOf('ipset', 'save', 'big'))
    }
    for (let i = 0; i < 5; i++) expect(run('ipset -q test big 1.0.0.1')).toEqual(done)
    // Each listing stops where its client does.
    expect(memory() - before).toBeLessThan(300)
    close()
    expect(run('ipset destroy')).toEqual(done)
    await unharmed()
  })

  test(
    ...needsTun('fifty clients at once leave the rules and members that they should, and packets pass'),
    async () => {
      const { client, run, path } = await newLab()
      expect(run('ipset create shared hash:ip')).toEqual(done)
      const ping = client.start('ping', '-q', '-i', '0.01', '-c', '2000', '10.0.1.1')
      let said = ''
      ping.stdout?.on('data', (piece) => {
        said += piece
      })
      const ended = new Promise((resolve) => ping.on('close', resolve))
      const one = async (i: number) => {
        const status = async (...words: string[]) => (await call(path, words)).status
        const mine = ['FORWARD', '-s', `10.5.0.${i}`, '-j', 'DROP']
        const member = ['shared', `10.5.0.${i}`]
        const said: number[] = []
        for (let round = 0; round < 4; round++) {
          said.push(await status('iptables', '-C', ...mine), await status('iptables', '-A', ...mine))
          said.push(await status('ipset', 'add', ...member), await status('ipset', '-q', 'test', ...member))
          said.push(await status('iptables', '-C', ...mine), await status('iptables', '-D', ...mine))
          said.push(await status('ipset', 'del', ...member), await status('ipset', '-q', 'test', ...member))
        }
        if (i % 2 === 0) said.push(await status('iptables', '-A', ...mine), await status('ipset', 'add', ...member))
        return said
      }
      const all = await Promise.all(count(50, String).map((_, i) => one(i)))
      for (const [i, statuses] of all.entries())
        expect(statuses).toEqual([...Array(4).fill([1, 0, 0, 0, 0, 0, 0, 1]).flat(), ...(i % 2 === 0 ? [0, 0] : [])])
      const left = count(25, (i) => `10.5.0.${2 * i}`).sort()
      const rules = run('iptables -S FORWARD').stdout.split('\n').slice(1, -1)
      expect(rules.map((line) => /-s (\S+)\/32/.exec(line)?.[1]).sort()).toEqual(left)
      const members = run('ipset save shared').stdout.split('\n').slice(1, -1)
      expect(members.map((line) => line.split(' ')[2]).sort()).toEqual(left)
      ping.kill('SIGINT')
      await ended
      expect(said).toMatch(/ 0% packet loss/)
    },
  )

  test(...needsTun('packets and clients see a restore whole or not at all'), async () => {
    const { client, path } = await newLab()
    // Under either generation every packet is answered; between the two, or with half of one, some would be dropped.
    const generation = (n: number) =>
      file(
        ':INPUT DROP [0:0]',
        ':A - [0:0]',
        ...count(300, (i) => `-A A -s 10.9.${n}.${i & 255} -j DROP`),
        ...(n % 2 === 0 ? ['-A INPUT -p icmp -j A', '-A A -j ACCEPT'] : ['-A A -p icmp -j ACCEPT', '-A INPUT -j A']),
      )
    expect(await call(path, ['iptables-restore'], () => generation(0))).toEqual(done)
    const ping = client.start('ping', '-q', '-i', '0.002', '-c', '20000', '10.0.1.1')
    let said = ''
    ping.stdout?.on('data', (piece) => {
      said += piece
    })
    const ended = new Promise((resolve) => ping.on('close', resolve))
    let going = true
    const reader = async () => {
      const seen = new Set<string>()
      while (going) {
        const { stdout } = await call(path, ['iptables', '-S', 'A'])
        const generations = new Set(stdout.match(/10\.9\.\d+/g))
        expect([stdout.match(/-s/g)?.length, generations.size]).toEqual([300, 1])
        for (const each of generations) seen.add(each)
      }
      return seen.size
    }
    const readers = [reader(), reader()]
    for (let n = 1; n < 40; n++) expect(await call(path, ['iptables-restore'], () => generation(n))).toEqual(done)
    going = false
    for (const seen of await Promise.all(readers)) expect(seen).toBeGreaterThan(2)
    ping.kill('SIGINT')
    await ended
    expect(said).toMatch(/ 0% packet loss/)
    expect(Number(/(\d+) received/.exec(said)?.[1])).toBeGreaterThan(20)
  })
})
