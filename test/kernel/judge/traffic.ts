// What hosts say through a router, as steps that do not depend on what the router makes of them: a step names a flow and a side, and
// becomes bytes only when the flow's earlier packets have been seen to leave. So steps can be left out and the rest still means
// something, which is how a disagreement is made small.

import { decode, encodeAll, type Packet, parsePacket } from '../../support/packet/index.ts'
import type { Chance } from './chance.ts'
import type { Host, Network } from './network.ts'

export interface Flow {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'other'
  readonly client: Host
  /** Where the client thinks that the server is. */
  readonly server: string
  readonly sport: number
  readonly dport: number
}

export type Step =
  /** A packet of the flow; `words` are what the packet language says behind the ports. */
  | {
      readonly kind: 'say'
      readonly flow: number
      readonly side: 0 | 1
      readonly words: string
      readonly split?: number
    }
  /** The side that received something of this flow answers with an ICMP error about it. */
  | { readonly kind: 'error'; readonly flow: number; readonly side: 0 | 1; readonly words: string }
  /** A line as it stands. */
  | { readonly kind: 'line'; readonly device: string; readonly line: string }

export interface Traffic {
  readonly flows: readonly Flow[]
  readonly steps: readonly Step[]
}

const OPTIONS = ['', '', ' <mss 1460,sackOK,ts 1 0,nop,wscale 7>', ' <mss 1460>', ' <nop,nop,ts 5 6>']
// Not frag-needed: Linux learns from it how long packets of its own may be, also from other cases, and the engine does not.
const ERRORS = ['port-unreachable', 'host-unreachable', 'net-unreachable', 'time-exceeded', 'admin-prohibited']

export function traffic(chance: Chance, net: Network): Traffic {
  const flows = Array.from({ length: chance.between(1, 5) }, () => flow(chance, net))
  const steps: Step[] = []
  const tcp = flows.map(() => new TcpTalk(chance))
  for (let n = chance.between(5, 40); n > 0; n--) {
    const at = chance.below(flows.length)
    const { protocol } = flows[at]!
    if (chance.once(12)) steps.push(stray(chance, net))
    else if (chance.once(10)) {
      const side = chance.once(4) ? 0 : 1
      steps.push({ kind: 'error', flow: at, side, words: chance.pick(ERRORS) })
    } else if (protocol === 'tcp') steps.push({ kind: 'say', flow: at, ...tcp[at]!.next() })
    else {
      const side = chance.once(2) ? 1 : 0
      // An echo reply is cut for the first way that Linux sees for it, also where NAT then gives it another one.
      const whole = protocol === 'icmp' && net.own.includes(flows[at]!.server)
      const length = chance.pick(whole ? [0, 1, 20, 100] : [0, 1, 20, 100, 550, 1400, 3000])
      const text = chance.once(6) ? ' "GET abc"' : ` len ${length}`
      const split = length > 1000 && chance.once(2) ? chance.pick([576, 1280, 1500]) : undefined
      steps.push({ kind: 'say', flow: at, side, words: `${text}${common(chance)}`, split })
    }
  }
  return { flows, steps }
}

function flow(chance: Chance, net: Network): Flow {
  const client = chance.pick(net.hosts)
  const server = chance.once(4) ? chance.pick(net.own) : chance.pick(net.hosts).address
  const protocol = chance.pick(['tcp', 'tcp', 'tcp', 'udp', 'udp', 'icmp', 'other'] as const)
  return { protocol, client, server, sport: chance.pick([...net.ports, 1025]), dport: chance.pick(net.ports) }
}

/** TTL, TOS, DF, id: what any packet may have. */
function common(chance: Chance): string {
  const words: string[] = [`ipid ${chance.between(1, 65_535)}`]
  if (chance.once(8)) words.push(`ttl ${chance.pick([1, 2, 255, 63])}`)
  if (chance.once(8)) words.push(`tos ${chance.pick(['0x10', '0x08', '0xb8', '0x03', '0x02'])}`)
  if (chance.once(3)) words.push('DF')
  if (chance.once(60)) words.push('sum bad')
  return ` ${words.join(' ')}`
}

/** Packets that belong to nothing. */
function stray(chance: Chance, net: Network): Step {
  const from = chance.pick(net.hosts)
  const to = chance.pick([
    ...net.hosts.map((host) => host.address),
    ...net.own,
    '255.255.255.255',
    '224.0.0.5',
    '127.0.0.1',
    '203.0.113.255',
  ])
  const source = chance.pick([from.address, from.address, from.address, '127.0.0.1', ...net.own])
  const rest = chance.pick([
    `udp ${source}:${chance.pick(net.ports)} > ${to}:${chance.pick(net.ports)} len 9`,
    `tcp ${source}:${chance.pick(net.ports)} > ${to}:${chance.pick(net.ports)} ${chance.pick(['.', 'R', 'S.', 'F.', 'none', 'SF', 'P.'])} seq 5 ack 9`,
    `icmp ${source} > ${to} echo-reply id 5 seq 1 len 4`,
    `icmp ${source} > ${to} port-unreachable [ udp ${to}:53 > ${source}:1000 len 3 ]`,
    `ip ${source} > ${to} proto ${chance.pick([47, 50, 132, 99])} hex 000008000000000000000000`,
    `udp ${source}:53 > ${to}:53 len 30 MF`,
    `ip ${source} > ${to} proto 17 frag 1480 len 40`,
  ])
  return {
    kind: 'line',
    device: from.device,
    line: `${rest}${rest.startsWith('ip ') ? common(chance).replace(' sum bad', '') : common(chance)}`,
  }
}

/** Two hosts that mostly understand each other. Sequence numbers are the talk's own and go on whatever the router does. */
class TcpTalk {
  readonly #chance: Chance
  readonly #next: [number, number]
  #phase = 0

  constructor(chance: Chance) {
    this.#chance = chance
    this.#next = [chance.between(0, 0xffff_ffff), chance.between(0, 0xffff_ffff)]
    if (chance.once(8)) this.#phase = 3
  }

  next(): { side: 0 | 1; words: string } {
    const chance = this.#chance
    const words = (side: 0 | 1, flags: string, length = 0, options = '') => {
      const seq = this.#next[side] >>> 0
      const ack = flags.includes('.') ? ` ack ${this.#next[side === 0 ? 1 : 0] >>> 0}` : ''
      this.#next[side] += length + (/[SF]/.test(flags) ? 1 : 0)
      const window = chance.pick([65_535, 29_200, 500, 0])
      const odd = chance.once(25) ? chance.pick([1, -1, 100_000, -70_000]) : 0
      const text =
        length > 0 && chance.once(8) ? `"${'GET abc'.padEnd(length, 'x').slice(0, length)}"` : `len ${length}`
      return {
        side,
        words: ` ${flags} seq ${(seq + odd) >>> 0}${ack} win ${window}${options} ${text}${common(chance)}`,
      }
    }
    if (chance.once(20)) return words(chance.pick([0, 1]), chance.pick(['R', 'R.', 'S', 'S.', 'F.', 'none', 'U.']))
    if (chance.once(25)) this.#phase = 0
    switch (this.#phase) {
      case 0:
        this.#phase = 1
        return words(0, 'S', 0, chance.pick(OPTIONS))
      case 1:
        this.#phase = chance.once(8) ? 0 : 2
        return words(1, chance.once(10) ? 'R.' : 'S.', 0, chance.pick(OPTIONS))
      case 2:
        this.#phase = 3
        return words(0, '.')
      case 3:
        if (chance.once(8)) this.#phase = 4
        return words(
          chance.pick([0, 1]),
          chance.pick(['.', 'P.']),
          chance.pick([0, 1, 100, 540, 1400]),
          chance.pick(['', '', ' <nop,nop,ts 7 8>']),
        )
      case 4:
        this.#phase = 5
        return words(chance.pick([0, 1]), 'F.')
      case 5:
        this.#phase = 6
        return words(chance.pick([0, 1]), 'F.')
      default:
        if (chance.once(3)) this.#phase = 0
        return words(chance.pick([0, 1]), '.')
    }
  }
}

/** What is on its way between a client and its server, as far as it was seen: how the server sees the client, and the last packets. */
interface Seen {
  /** The last packet that reached this side, and by which device. */
  readonly reached: ({ readonly device: string; readonly bytes: Uint8Array } | undefined)[]
}

/** Makes bytes of steps, one after the other, from what was seen to leave the router. */
export class Hosts {
  readonly #flows: readonly Flow[]
  readonly #seen: Seen[]

  constructor(flows: readonly Flow[]) {
    this.#flows = flows
    this.#seen = flows.map(() => ({ reached: [undefined, undefined] }))
  }

  /** The packets of a step and the device that they come in by; undefined where the step has nothing to go by. */
  packets(step: Step): { device: string; packets: Uint8Array[] } | undefined {
    if (step.kind === 'line') return { device: step.device, packets: encodeAll(parsePacket(step.line)) }
    const flow = this.#flows[step.flow]!
    const last = this.#seen[step.flow]!.reached[step.side]
    if (step.kind === 'error') return last && errorAbout(last, step.words)
    if (step.side === 0) {
      const line = lineOf(flow, flow.client.address, flow.server, flow.sport, flow.dport, 0, step.words)
      return { device: flow.client.device, packets: encodeAll(withSplit(parsePacket(line), step.split)) }
    }
    if (last === undefined) return undefined
    const seen = decode(last.bytes)
    if (seen.proto === 'raw' || typeof seen.source !== 'number' || typeof seen.destination !== 'number')
      return undefined
    const [sport, dport] = [portOf(seen, 'destinationPort'), portOf(seen, 'sourcePort')]
    const line = lineOf(flow, text(seen.destination), text(seen.source), sport, dport, 1, step.words)
    return { device: last.device, packets: encodeAll(withSplit(parsePacket(line), step.split)) }
  }

  /** What left because of a step: the other side has it. */
  saw(step: Step, cameBy: string, left: ReadonlyMap<string, readonly Uint8Array[]>): void {
    if (step.kind !== 'say') return
    const other = step.side === 0 ? 1 : 0
    for (const [device, packets] of left)
      for (const bytes of packets) {
        const packet = decode(bytes)
        if (packet.proto === 'raw' || packet.inner !== undefined) continue
        const side =
          device === cameBy && step.side === 0 && isAnswer(packet, this.#flows[step.flow]!) ? step.side : other
        this.#seen[step.flow]!.reached[side] = { device, bytes }
      }
  }
}

function isAnswer(packet: Packet, flow: Flow): boolean {
  return typeof packet.destination === 'number' && text(packet.destination) === flow.client.address
}

const text = (address: number) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')

function portOf(packet: Packet, which: 'sourcePort' | 'destinationPort'): number {
  if (packet.proto === 'icmp') return Number(packet.fields.id ?? 0)
  return Number(packet[which] ?? 0)
}

function lineOf(
  { protocol }: Flow,
  source: string,
  destination: string,
  sport: number,
  dport: number,
  side: 0 | 1,
  words: string,
): string {
  switch (protocol) {
    case 'icmp':
      return `icmp ${source} > ${destination} ${side === 0 ? 'echo-request' : 'echo-reply'} id ${sport} seq 1${words}`
    case 'other':
      // The payload's first bytes are counted up from 0: PPTP's version, and not its protocol. From 39 on it is plain GRE.
      return `ip ${source} > ${destination} proto 47${words.replace(/ sum bad/, '').replace(/len (\d+)/, dport === 80 ? 'len $1' : 'len $1 from 39')}`
    default:
      return `${protocol} ${source}:${sport} > ${destination}:${dport}${words}`
  }
}

function withSplit(packet: ReturnType<typeof parsePacket>, split: number | undefined): ReturnType<typeof parsePacket> {
  if (split === undefined || packet.proto === 'raw') return packet
  packet.ipFlags.delete('DF')
  packet.fields.split = split
  return packet
}

/** An ICMP error about a packet, from who received it to who sent it. */
function errorAbout(last: { device: string; bytes: Uint8Array }, words: string) {
  const packet = decode(last.bytes)
  if (packet.proto === 'raw' || typeof packet.source !== 'number' || typeof packet.destination !== 'number')
    return undefined
  if (packet.proto === 'icmp' && packet.inner !== undefined) return undefined
  const quoted = Buffer.from(last.bytes.subarray(0, Math.min(last.bytes.length, 548))).toString('hex')
  const line = `icmp ${text(packet.destination)} > ${text(packet.source)} ${words} [ raw ${quoted} ] ipid 77`
  return { device: last.device, packets: encodeAll(parsePacket(line)) }
}
