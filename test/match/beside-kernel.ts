// Matches beside the kernel, without a router around them: each rule stands alone in PREROUTING of table raw, in front of one that takes
// everything. Packets go through both; how many the rule takes, how many bytes, and how many are dropped by it has to be the same.
// What reaches a router in PREROUTING is what it may see, so the packets are written as they are on the wire.

import { expect } from 'vitest'
import { parseRestore } from '../../src/iptables/restore.ts'
import { NO_PROTOCOL } from '../../src/packet/packet.ts'
import { Slab } from '../../src/packet/slab.ts'
import { HOTDROP } from '../../src/rule/define.ts'
import type { Family } from '../../src/rule/model.ts'
import { KernelRig } from '../kernel/rig.ts'
import { packetIn, plainSum } from '../support/packets.ts'
import { surrounding } from './rule-under-test.ts'

/** Packets and bytes that a rule took, and packets that it did not drop. */
export interface Taken {
  readonly packets: number
  readonly bytes: number
  readonly passed: number
}

const TOOLS = { 4: 'iptables-legacy', 6: 'ip6tables-legacy' } as const
const fileOf = (rule: string) => `*raw\n-A PREROUTING ${rule}\n-A PREROUTING\nCOMMIT\n`

interface Case {
  readonly rule: string
  readonly packets: readonly Uint8Array[]
}

/** What each rule does with its packets in the kernel; they arrive on tun0. */
async function takenByKernel(family: Family, cases: readonly Case[]): Promise<Taken[]> {
  const sysctl = { 'net.ipv6.conf.all.disable_ipv6': 0, 'net.ipv6.conf.default.disable_ipv6': 0 }
  const rig = await KernelRig.open({ devices: { tun0: { addresses: ['10.0.1.1/24'] } }, sysctl }, { silence: 0.2 })
  try {
    const shell = rig['shell']
    await shell.run('ip -6 addr add fd00::1/64 dev tun0 nodad')
    const taken: Taken[] = []
    for (const { rule, packets } of cases) {
      const loading = shell.run(`${TOOLS[family]}-restore -w`, fileOf(rule))
      await loading.catch((error: Error) => Promise.reject(new Error(`${rule}: ${error.message}`)))
      rig.exchange('tun0', packets, 0)
      const saved = await shell.run(`${TOOLS[family]}-save -c -t raw`)
      const [one, rest] = [...saved.matchAll(/^\[(\d+):(\d+)\] -A PREROUTING/gm)].map((m) => m.slice(1).map(Number))
      taken.push({ packets: one![0]!, bytes: one![1]!, passed: rest![0]! })
    }
    return taken
  } finally {
    await rig.close()
  }
}

/** The same by the declarations. */
function takenByMatches(family: Family, { rule: text, packets }: Case): Taken {
  const tables = parseRestore(fileOf(text), { file: 'rule', family }).tables
  const { protocol, matches } = tables.get('raw')!.chains.get('PREROUTING')!.rules[0]!
  const { env } = surrounding()
  const around = { family, table: 'raw', chain: 'PREROUTING' } as const
  const tests = matches.map(({ declaration, options }) => declaration.match(options, env, around))
  const taken = { packets: 0, bytes: 0, passed: 0 }
  for (const bytes of packets) {
    const p = packetIn(new Slab(1), bytes)
    let said = protocol === undefined || (p.protocol === protocol.value) !== protocol.not ? 1 : 0
    if (protocol !== undefined && p.protocol === NO_PROTOCOL) said = HOTDROP
    for (let i = 0; i < tests.length && said === 1; i++) said = tests[i]!(p)
    if (said === 1) {
      taken.packets++
      taken.bytes += p.length
    }
    if (said !== HOTDROP) taken.passed++
  }
  return taken
}

/** How many rules are looked at packet by packet where the sums differ. */
const NARROWED = 6

/** Expects every rule to take the same of all packets as in the kernel, and says which packets are not taken alike. */
export async function expectTakenAlike(
  family: Family,
  rules: readonly string[],
  packets: readonly Uint8Array[],
): Promise<void> {
  const cases = rules.map((rule) => ({ rule, packets }))
  const sums = await takenByKernel(family, cases)
  const same = (one: Case, kernel: Taken) => JSON.stringify(takenByMatches(family, one)) === JSON.stringify(kernel)
  const wrong = cases.filter((one, i) => !same(one, sums[i]!))
  const narrowed = wrong
    .slice(0, NARROWED)
    .flatMap(({ rule }) => packets.map((packet) => ({ rule, packets: [packet] })))
  const kernel = await takenByKernel(family, narrowed)
  const shown = (one: Case, taken: Taken) =>
    `${one.rule}: ${Buffer.from(one.packets[0]!).toString('hex')}: ` +
    `${taken.packets === 1 ? 'taken' : 'left'}${taken.passed === 0 ? ', dropped' : ''}`
  const differ = narrowed.flatMap((one, i) => (same(one, kernel[i]!) ? [] : [[one, kernel[i]!] as const]))
  expect(differ.map(([one]) => shown(one, takenByMatches(family, one)))).toEqual(
    differ.map(([one, taken]) => shown(one, taken)),
  )
  expect(wrong.map(({ rule }) => rule)).toEqual([])
}

/** Bytes of hexadecimal text. */
export const hex = (text: string) => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'))

/** An IPv4 packet from 10.0.1.2 to 203.0.113.9: the protocol, and everything behind the header in hexadecimal. */
export function packet4(protocol: number, rest: string, { fragment = 0, tos = 0, ttl = 64 } = {}): Uint8Array {
  const body = hex(rest)
  const bytes = new Uint8Array(20 + body.length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 0x4500 | tos)
  view.setUint16(2, bytes.length)
  view.setUint16(6, fragment)
  view.setUint8(8, ttl)
  view.setUint8(9, protocol)
  bytes.set([10, 0, 1, 2, 203, 0, 113, 9], 12)
  view.setUint16(10, ~plainSum(bytes.subarray(0, 20)) & 0xffff)
  bytes.set(body, 20)
  return bytes
}

interface Header6 {
  readonly hopLimit?: number
  readonly trafficClass?: number
  readonly source?: string
  readonly destination?: string
}

/** An IPv6 packet: the number of the first header, and everything behind the fixed one in hexadecimal. */
export function packet6(
  next: number,
  rest: string,
  {
    hopLimit = 64,
    trafficClass = 0,
    source = 'fd000000000000000000000000000002',
    destination = 'fd010000000000000000000000000009',
  }: Header6 = {},
): Uint8Array {
  const body = hex(rest)
  const bytes = new Uint8Array(40 + body.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x60000000 | (trafficClass << 20))
  view.setUint16(4, body.length)
  view.setUint8(6, next)
  view.setUint8(7, hopLimit)
  bytes.set(hex(source), 8)
  bytes.set(hex(destination), 24)
  bytes.set(body, 40)
  return bytes
}
