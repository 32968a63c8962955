// The control socket and clients of every kind: those that behave are served whatever the others do.

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { call } from '../../src/control/client.ts'
import { Commands } from '../../src/control/commands.ts'
import * as wire from '../../src/control/frame.ts'
import { ControlServer, LIMITS, type Limits } from '../../src/control/server.ts'
import { DataPlane } from './data-plane.ts'

let folder: string
let path: string
let server: ControlServer | undefined
let commands: Commands
const sockets: Socket[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunfilter-control-'))
  path = join(folder, 'socket')
})

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  server?.close()
  server = undefined
  rmSync(folder, { recursive: true })
})

async function listen(limits: Partial<Limits> = {}): Promise<ControlServer> {
  commands = new Commands(new DataPlane(), () => {})
  server = await ControlServer.listen(path, [commands], { ...LIMITS, ...limits })
  return server
}

/** A client that sends what it is told; `said` is all that it got once it is closed. */
async function rawClient(...pieces: (Buffer | string)[]): Promise<{ socket: Socket; said: Promise<string> }> {
  const socket = connect(path)
  sockets.push(socket)
  let got = ''
  socket.on('data', (piece) => {
    got += piece.toString('latin1')
  })
  socket.on('error', () => {})
  const said = new Promise<string>((resolve) => socket.on('close', () => resolve(got)))
  await new Promise((resolve) => socket.once('connect', resolve))
  for (const piece of pieces) socket.write(piece)
  return { socket, said }
}

const argumentsOf = (...words: string[]) => wire.frame(wire.ARGUMENTS, words.map((word) => `${word}\0`).join(''))
const serves = async () =>
  expect(await call(path, ['iptables', '-S'])).toMatchObject({ status: 0, stdout: expect.stringContaining('-P INPUT') })

test('the socket is for its owner alone, and gone when the gateway is', async () => {
  const { close } = await listen()
  expect(statSync(path).mode & 0o777).toBe(0o600)
  close.call(server)
  await expect.poll(() => statSync(path, { throwIfNoEntry: false })).toBeUndefined()
})

test('a socket that nobody listens on is replaced; one that is in use, and any other file, are not', async () => {
  await listen()
  await expect(ControlServer.listen(path, [commands])).rejects.toThrow('another gateway listens')
  writeFileSync(join(folder, 'file'), '')
  await expect(ControlServer.listen(join(folder, 'file'), [commands])).rejects.toThrow('a file of that name')
})

test('words and input arrive as they were sent, in whatever pieces', async () => {
  await listen()
  const { socket, said } = await rawClient()
  const bytes = Buffer.concat([
    argumentsOf('iptables-restore', '--noflush'),
    wire.frame(wire.INPUT, '*filter\n-A INPUT -m comment --comment "é'),
    wire.frame(wire.INPUT, '"\nCOMMIT\n'),
    wire.frame(wire.INPUT_END),
  ])
  for (const byte of bytes) {
    socket.write(Buffer.from([byte]))
    if (byte === 10) await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await said).endsWith('S\0')).toBe(true)
  expect((await call(path, ['iptables', '-S', 'INPUT'])).stdout).toContain('--comment "é"')
})

test.each<[string, (Buffer | string)[]]>([
  ['garbage', ['GET / HTTP/1.1\r\nHost: x\r\n\r\n']],
  ['a frame that is too long', [Buffer.from([0xff, 0xff, 0xff, 0xff, 65])]],
  ['arguments without an end', [wire.frame(wire.ARGUMENTS, 'iptables')]],
  ['no arguments', [wire.frame(wire.ARGUMENTS)]],
  ['input that nobody asked for', [wire.frame(wire.INPUT, 'x')]],
  ['a frame of no kind', [argumentsOf('iptables-restore'), wire.frame('?')]],
])('%s is answered with an error, and changes nothing', async (_, pieces) => {
  await listen()
  const { said } = await rawClient(...pieces)
  expect(await said).toMatch(/E(tunfilter|iptables)/)
  expect(commands.ruleSet(4).tables.size).toBe(0)
  await expect(call(path, ['iptables', '-S'])).resolves.toMatchObject({ status: 0 })
})

test('a client that stops half way changes nothing and holds nobody up', async () => {
  await listen()
  const half = await rawClient(argumentsOf('iptables-restore'), wire.frame(wire.INPUT, '*filter\n-A INPUT -j DROP\n'))
  expect(await call(path, ['iptables', '-N', 'a'])).toMatchObject({ status: 0 })
  half.socket.destroy()
  await half.said
  expect((await call(path, ['iptables', '-S'])).stdout).not.toContain('DROP')
  await expect.poll(() => server!.kept).toBe(0)
})

test('a client that says nothing is cut off', async () => {
  await listen({ patience: 50 })
  const { said } = await rawClient()
  expect(await said).toBe('')
})

test('input is bounded, for one client and for all', async () => {
  await listen({ input: 1000, allInput: 1500 })
  const long = await rawClient(argumentsOf('iptables-restore'), wire.frame(wire.INPUT, 'x'.repeat(1001)))
  expect(await long.said).toMatch(/the input is longer than 1000 bytes/)
  const first = await rawClient(argumentsOf('iptables-restore'), wire.frame(wire.INPUT, 'x'.repeat(900)))
  await expect.poll(() => server!.kept).toBe(900)
  const second = await rawClient(argumentsOf('iptables-restore'), wire.frame(wire.INPUT, 'x'.repeat(900)))
  expect(await second.said).toMatch(/too much input of all clients/)
  first.socket.destroy()
  await expect.poll(() => server!.kept).toBe(0)
})

test('who does not read is cut off when there is too much to be read', async () => {
  await listen({ unread: 1 << 20 })
  const rules = Array.from({ length: 20_000 }, (_, i) => `-A INPUT -s 10.0.${i >> 8}.${i & 255} -j DROP\n`).join('')
  const restored = await call(path, ['iptables-restore'], () => `*filter\n${rules}COMMIT\n`)
  expect(restored).toMatchObject({ status: 0, stderr: '' })
  const idle: Socket[] = []
  for (let i = 0; i < 8; i++) {
    const { socket } = await rawClient()
    socket.pause()
    socket.write(argumentsOf('iptables-save'))
    idle.push(socket)
  }
  const { stdout } = await call(path, ['iptables-save', '-t', 'filter'])
  expect(stdout.length).toBeGreaterThan(600_000)
  // The last one's answer stays, too large as it is alone.
  await expect.poll(() => server!.unread).toBeLessThan(2 << 20)
})

test('fifty clients at once that each add, look for and delete leave just the rules that they should', async () => {
  await listen()
  const client = async (i: number) => {
    const mine = ['INPUT', '-s', `10.0.0.${i}`, '-j', 'DROP']
    const done = async (...words: string[]) => (await call(path, ['iptables', ...words])).status
    const statuses = []
    for (let round = 0; round < 5; round++) {
      statuses.push(await done('-C', ...mine), await done('-w', '-A', ...mine), await done('-C', ...mine))
      statuses.push(await done('-D', ...mine), await done('-D', ...mine))
    }
    statuses.push(await done('-A', ...mine))
    return statuses
  }
  const all = await Promise.all(Array.from({ length: 50 }, (_, i) => client(i)))
  for (const statuses of all) expect(statuses).toEqual([...Array(5).fill([1, 0, 0, 0, 1]).flat(), 0])
  const { stdout } = await call(path, ['iptables', '-S', 'INPUT'])
  const left = stdout.split('\n').slice(1, -1).sort()
  expect(left).toEqual(Array.from({ length: 50 }, (_, i) => `-A INPUT -s 10.0.0.${i}/32 -j DROP`).sort())
})

test('a restore is seen whole or not at all', async () => {
  await listen()
  const generation = (n: number) =>
    `*filter\n${Array.from({ length: 100 }, (_, i) => `-A INPUT -s 10.0.${n}.${i} -j DROP\n`).join('')}COMMIT\n`
  let ended = false
  const writer = async () => {
    for (let n = 0; n < 20; n++) await call(path, ['iptables-restore'], () => generation(n))
    ended = true
  }
  const seen = new Set<string>()
  const reader = async () => {
    while (!ended) {
      const { stdout } = await call(path, ['iptables', '-S', 'INPUT'])
      const rules = stdout.split('\n').filter((line) => line.startsWith('-A'))
      expect([0, 100]).toContain(rules.length)
      const generations = new Set(rules.map((rule) => rule.split('.')[2]))
      expect(generations.size).toBeLessThan(2)
      for (const each of generations) seen.add(each)
    }
  }
  await Promise.all([writer(), reader(), reader(), reader()])
  expect(seen.size).toBeGreaterThan(1)
})

test('others are served in the meantime', async () => {
  await listen()
  for (let i = 0; i < 100; i++) await rawClient(argumentsOf('iptables-restore'))
  await rawClient(Buffer.alloc(1 << 20, 0xff))
  await serves()
})
