// The hosts on both sides: makes bytes of steps, one after the other, from what was seen to leave the router. So a server answers the client
// that it sees, and an error quotes the packet that arrived.

import type { Family } from '../../../src/rule/model.ts'
import { decode, encodeAll, hexOf, type Packet, parsePacket, type Raw } from '../../support/packet/index.ts'
import { addressText } from '../../support/packet/model.ts'
import { familyOf } from './network.ts'
import type { Arrangement, Flow, Split, Step } from './traffic.ts'

interface Reached {
  readonly device: string
  readonly bytes: Uint8Array
}

/** What is on its way between a client and its server: the last packet that reached each side, and by which device. */
type Seen = [Reached | undefined, Reached | undefined]

export interface Made {
  readonly device: string
  readonly packets: Uint8Array[]
}

export class Hosts {
  readonly #flows: readonly Flow[]
  readonly #seen: readonly Seen[]

  constructor(flows: readonly Flow[]) {
    this.#flows = flows
    this.#seen = flows.map(() => [undefined, undefined])
  }

  /** The packets of a step and the device that they come in by; undefined where the step has nothing to go by. */
  packets(step: Step): Made | undefined {
    if (step.kind === 'line') return { device: step.device, packets: encodeAll(parsePacket(step.line)) }
    const flow = this.#flows[step.flow]!
    const last = this.#seen[step.flow]![step.side]
    if (step.kind === 'error') return last && errorAbout(last, step.words)
    if (step.side === 0) {
      const line = lineOf(flow, flow.client.address, flow.server, flow.sport, flow.dport, 0, step.words)
      return { device: flow.client.device, packets: inPieces(parsePacket(line), step.split) }
    }
    if (last === undefined) return undefined
    const seen = addressed(last.bytes)
    if (seen === undefined) return undefined
    const { packet, source, destination } = seen
    const [sport, dport] = [portOf(packet, 'destinationPort'), portOf(packet, 'sourcePort')]
    const line = lineOf(flow, destination, source, sport, dport, 1, step.words)
    return { device: last.device, packets: inPieces(parsePacket(line), step.split) }
  }

  /** What left because of a step: the other side has it. */
  saw(step: Step, cameBy: string, left: ReadonlyMap<string, readonly Uint8Array[]>): void {
    if (step.kind !== 'say') return
    const flow = this.#flows[step.flow]!
    const other = step.side === 0 ? 1 : 0
    for (const [device, packets] of left)
      for (const bytes of packets) {
        const seen = addressed(bytes)
        // Not an error of the router's own, nor a fragment that does not say what it belongs to.
        if (seen === undefined || seen.packet.inner !== undefined || !whole(seen.packet, flow)) continue
        const answered = device === cameBy && step.side === 0 && seen.destination === flow.client.address
        this.#seen[step.flow]![answered ? step.side : other] = { device, bytes }
      }
  }
}

interface Addressed {
  readonly packet: Packet
  readonly source: string
  readonly destination: string
}

function addressed(bytes: Uint8Array): Addressed | undefined {
  const packet = decode(bytes)
  if (packet.proto === 'raw') return undefined
  const { source, destination } = packet
  if (typeof source === 'object' || typeof destination === 'object' || source === 'bad' || destination === 'bad')
    return undefined
  return { packet, source: addressText(source), destination: addressText(destination) }
}

function whole(packet: Packet, { protocol }: Flow): boolean {
  if (protocol === 'tcp' || protocol === 'udp') return packet.sourcePort !== undefined
  return protocol !== 'icmp' || packet.fields.type !== undefined
}

function portOf(packet: Packet, which: 'sourcePort' | 'destinationPort'): number {
  if (packet.proto === 'icmp' || packet.proto === 'icmp6') return Number(packet.fields.id ?? 0)
  return Number(packet[which] ?? 0)
}

const PROTOCOLS = { gre: 47, other: 99 } as const

function lineOf(
  { protocol, dport: asked }: Flow,
  source: string,
  destination: string,
  sport: number,
  dport: number,
  side: 0 | 1,
  words: string,
): string {
  const family: Family = familyOf(source)
  const at = (address: string, port: number) => (family === 4 ? `${address}:${port}` : `[${address}]:${port}`)
  switch (protocol) {
    case 'icmp':
      return `${family === 4 ? 'icmp' : 'icmp6'} ${source} > ${destination} ${side === 0 ? 'echo-request' : 'echo-reply'} id ${sport} seq 1${words}`
    case 'tcp':
    case 'udp':
      return `${protocol} ${at(source, sport)} > ${at(destination, dport)}${words}`
    default:
      // The payload's first bytes are counted up from 0: PPTP's version, and not its protocol. From 39 on it is plain GRE.
      return `ip ${source} > ${destination} proto ${PROTOCOLS[protocol]}${words.replace(/ sum bad/, '').replace(/len (\d+)/, asked === 80 ? 'len $1' : 'len $1 from 39')}`
  }
}

let identification = 0

/** All bytes of a packet, which comes in fragments where it is said how. */
function inPieces(packet: Packet | Raw, split: Split | undefined): Uint8Array[] {
  if (split === undefined || packet.proto === 'raw') return encodeAll(packet)
  packet.ipFlags.delete('DF')
  packet.fields.split = split.mtu
  // Never the same again, so that no fragment of an earlier packet fits.
  identification = (identification % 65_535) + 1
  packet.fields.ipid = identification
  return arranged(encodeAll(packet), split.order)
}

function arranged(pieces: Uint8Array[], order: Arrangement): Uint8Array[] {
  switch (order) {
    case 'in order':
      return pieces
    case 'reversed':
      return pieces.toReversed()
    case 'first last':
      return [...pieces.slice(1), ...pieces.slice(0, 1)]
    case 'twice':
      return pieces.flatMap((piece, i) => (i === 0 ? [piece, piece] : [piece]))
    default:
      return pieces.slice(0, -1)
  }
}

const QUOTED = { 4: 548, 6: 1232 } as const

/** An ICMP error about a packet, from who received it to who sent it. */
function errorAbout({ device, bytes }: Reached, words: string): Made | undefined {
  const seen = addressed(bytes)
  if (seen === undefined || seen.packet.inner !== undefined) return undefined
  const { source, destination } = seen
  const family = familyOf(source)
  const quoted = hexOf(bytes.subarray(0, Math.min(bytes.length, QUOTED[family])))
  const line = `${family === 4 ? 'icmp' : 'icmp6'} ${destination} > ${source} ${words} [ raw ${quoted} ]${family === 4 ? ' ipid 77' : ''}`
  return { device, packets: encodeAll(parsePacket(line)) }
}
