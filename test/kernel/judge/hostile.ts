// Packets that belong to nothing, and packets as nobody should send them: headers that lie, are cut off, or go on too long. The words
// that any packet may have are here too.

import type { Family } from '../../../src/rule/model.ts'
import { PacketMaker6 } from '../../fuzz/packets6.ts'
import { encodeAll, hexOf, parsePacket } from '../../support/packet/index.ts'
import { sum } from '../../support/packet/transport.ts'
import type { Chance } from './chance.ts'
import type { World } from './network.ts'
import type { Step } from './traffic.ts'

const TOS = ['0x10', '0x08', '0xb8', '0x03', '0x02']
/** Padding, a jumbo of no kind, router alert, an experiment of which nobody minds. */
const OPTIONS6 = ['hbh:010400000000', 'dst:010400000000', 'hbh:050200000100', 'dst:1e0400000000', 'dst:000000000000']

/** TTL, TOS, DF, id: what any packet may have. */
export function common(chance: Chance, family: Family): string {
  const words: string[] = []
  if (family === 4) {
    words.push(`ipid ${chance.between(1, 65_535)}`)
    if (chance.once(8)) words.push(`ttl ${chance.pick([1, 2, 255, 63])}`)
    if (chance.once(8)) words.push(`tos ${chance.pick(TOS)}`)
    if (chance.once(3)) words.push('DF')
    if (chance.once(40)) words.push(`opts ${chance.pick(['01010100', '94040000', '00000000'])}`)
  } else {
    if (chance.once(8)) words.push(`hl ${chance.pick([1, 2, 255, 63])}`)
    if (chance.once(8)) words.push(`tc ${chance.pick(TOS)}`)
    if (chance.once(8)) words.push(`flow ${chance.pick(['0x12345', '0x1'])}`)
    if (chance.once(12)) words.push(chance.pick(OPTIONS6))
    if (chance.once(40)) words.push('rt:000000000000')
  }
  if (chance.once(60)) words.push('sum bad')
  return ` ${words.join(' ')}`
}

/** A packet that belongs to nothing. */
export function stray(chance: Chance, world: World): Step {
  const { family, hosts, own, others, ports } = world
  const from = chance.pick(hosts)
  const to = chance.pick([...hosts.map((host) => host.address), ...own, ...others])
  const loopback = family === 4 ? '127.0.0.1' : '::1'
  const source = chance.pick([from.address, from.address, from.address, loopback, ...own])
  const at = (address: string, port: number) => (family === 4 ? `${address}:${port}` : `[${address}]:${port}`)
  const [sport, dport] = [chance.pick(ports), chance.pick(ports)]
  const icmp = family === 4 ? 'icmp' : 'icmp6'
  const [last, later] =
    family === 4
      ? [`udp ${at(source, 53)} > ${at(to, 53)} len 30 MF`, `ip ${source} > ${to} proto 17 frag 1480 len 40`]
      : [
          `udp ${at(source, 53)} > ${at(to, 53)} len 24 fh:0+:${chance.between(1, 65_535)}`,
          `ip ${source} > ${to} proto 17 len 40 fh:1480:${chance.between(1, 65_535)}`,
        ]
  const rest = chance.pick([
    `udp ${at(source, sport)} > ${at(to, dport)} len 9`,
    `udp ${at(source, sport)} > ${at(to, dport)} len 9 sum 0`,
    `tcp ${at(source, sport)} > ${at(to, dport)} ${chance.pick(['.', 'R', 'S.', 'F.', 'none', 'SF', 'P.', 'SU', 'SR'])} seq 5 ack 9`,
    `${icmp} ${source} > ${to} echo-reply id 5 seq 1 len 4`,
    `${icmp} ${source} > ${to} type ${chance.pick(family === 4 ? [3, 5, 9, 15, 17, 40] : [100, 130, 133, 135, 136, 200])} code 0 len 8`,
    `${icmp} ${source} > ${to} port-unreachable [ udp ${at(to, 53)} > ${at(source, 1000)} len 3 ]`,
    `ip ${source} > ${to} proto ${chance.pick([47, 50, 132, 99, 33, 136, 108])} hex 000008000000000000000000`,
    `ip ${source} > ${to} proto 132 hex ${sctp(sport, dport, chance.pick([1, 2, 0, 6, 10, 7]))}`,
    `ip ${source} > ${to} proto 33 hex ${dccp(sport, dport, chance.pick([0, 1, 2, 3, 7]))}`,
    last,
    later,
  ])
  const words = common(chance, family)
  const sumless = rest.startsWith('ip ') || / sum /.test(rest)
  return {
    kind: 'line',
    what: 'stray',
    family,
    device: from.device,
    line: `${rest}${sumless ? words.replace(' sum bad', '') : words}`,
  }
}

const hex = (value: number, bytes: number) => value.toString(16).padStart(2 * bytes, '0')

/** A packet with one chunk, with a checksum that is wrong. */
function sctp(sport: number, dport: number, chunk: number): string {
  return `${hex(sport, 2)}${hex(dport, 2)}${hex(chunk === 1 ? 0 : 7, 4)}00000000${hex(chunk, 1)}000014${hex(1, 4)}${hex(65_536, 4)}${hex(0x0001_0001, 4)}${hex(5, 4)}`
}

/** A packet with the long sequence number, without a checksum. */
function dccp(sport: number, dport: number, type: number): string {
  return `${hex(sport, 2)}${hex(dport, 2)}${hex(type === 2 || type === 0 ? 4 : 6, 1)}000000${hex((type << 1) | 1, 1)}00${hex(0, 2)}${hex(77, 4)}${hex(0, 8)}`
}

/** A packet with something wrong about its headers, as bytes. */
export function hostile(chance: Chance, world: World): Step {
  const { hosts, own, family } = world
  const from = chance.pick(hosts)
  if (family === 6 && chance.once(2)) {
    const made = new PacketMaker6(() => chance.below(0x1_0000_0000)).next()
    return { kind: 'line', what: 'hostile', family, device: 'tun0', line: `raw ${hexOf(made)}` }
  }
  const to = chance.pick([...hosts.map((host) => host.address), ...own])
  const [a, b] = family === 4 ? [from.address, to] : [`[${from.address}]`, `[${to}]`]
  const line = chance.pick([
    `tcp ${a}:${chance.pick(world.ports)} > ${b}:${chance.pick(world.ports)} S seq 7 <mss 1460,nop,wscale 3> len 20`,
    `udp ${a}:${chance.pick(world.ports)} > ${b}:${chance.pick(world.ports)} len 30`,
    `${family === 4 ? 'icmp' : 'icmp6'} ${from.address} > ${to} echo-request id 9 len 20`,
  ])
  const bytes = encodeAll(parsePacket(`${line}${common(chance, family)}`))[0]!
  return {
    kind: 'line',
    what: 'hostile',
    family,
    device: from.device,
    line: `raw ${hexOf(damaged(chance, bytes, family))}`,
  }
}

/** One thing about it is changed; what IPv4's header says of itself is mostly right nevertheless. */
function damaged(chance: Chance, whole: Uint8Array, family: Family): Uint8Array {
  let bytes = whole.slice()
  const header = family === 4 ? (bytes[0]! & 15) * 4 : 40
  switch (chance.below(6)) {
    case 0:
      bytes = bytes.slice(0, chance.below(bytes.length))
      break
    case 1:
      // Something in the first bytes of the header.
      bytes[chance.below(Math.min(header, 12))] = chance.below(256)
      break
    case 2:
      bytes[header + chance.below(Math.max(1, bytes.length - header))] = chance.below(256)
      break
    case 3: {
      const length = chance.pick([0, 1, 19, 20, 21, 28, 39, 40, 60, bytes.length - 1, bytes.length + 1, 65_535])
      bytes[family === 4 ? 2 : 4] = length >> 8
      bytes[family === 4 ? 3 : 5] = length & 255
      break
    }
    case 4:
      // The transport header's own length, or UDP's.
      bytes[header + chance.pick([4, 5, 12])] = chance.below(256)
      break
    default:
      bytes = Uint8Array.from([...bytes, ...Array.from({ length: chance.between(1, 40) }, () => chance.below(256))])
  }
  if (family === 4 && bytes.length >= 20 && !chance.once(6)) {
    const length = Math.min(Math.max(20, (bytes[0]! & 15) * 4), bytes.length)
    bytes[10] = 0
    bytes[11] = 0
    const right = ~sum(bytes.subarray(0, length)) & 0xffff
    bytes[10] = right >> 8
    bytes[11] = right & 255
  }
  return bytes
}
