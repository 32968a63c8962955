// Flows as text: one line each, as conntrack 1.4.7 prints them (`conntrack -L`, `-E`).

import type { Time } from '../../time.ts'
import { formatAddress } from '../../wire/address.ts'
import { format6 } from '../../wire/address6.ts'
import * as ip from '../../wire/ipv4.ts'
import type { FlowView } from '../flow-view.ts'
import { helperName } from '../helper/index.ts'
import { ASSURED, SEEN_REPLY } from '../record.ts'
import { type FlowEntry, listFlows, type Tuple } from './entry.ts'

/** What `-o` asks for. */
export interface LineOptions {
  /** Network protocol in front. */
  readonly extended?: boolean
  readonly id?: boolean
  /** Start and stop as the flow table has them. */
  readonly ktimestamp?: boolean
  /** Names of the labels that are set. */
  readonly labels?: (words: readonly number[]) => readonly string[]
  /** Flows that a question has found are in use twice. */
  readonly use?: number
}

/** Which of an event's fields were told. */
export interface EventFields {
  readonly kind: 'new' | 'update' | 'destroy'
  /** The protocol's state is among what changed. */
  readonly state: boolean
  /** So is the mark. */
  readonly mark: boolean
}

const NAMES: Readonly<Record<number, string | undefined>> = {
  [ip.PROTO_ICMP]: 'icmp',
  [ip.PROTO_TCP]: 'tcp',
  [ip.PROTO_UDP]: 'udp',
  [ip.PROTO_DCCP]: 'dccp',
  [ip.PROTO_GRE]: 'gre',
  58: 'icmpv6',
  [ip.PROTO_SCTP]: 'sctp',
  [ip.PROTO_UDPLITE]: 'udplite',
}

export function protocolName(protocol: number): string {
  return NAMES[protocol] ?? 'unknown'
}

export function addressText(words: readonly number[]): string {
  return words.length === 1 ? formatAddress(words[0]) : format6(words)
}

export function formatEntry(entry: FlowEntry, options: LineOptions = {}, event?: EventFields): string {
  const { protocol, status, original, reply } = entry
  const [zone, originalZone, replyZone] = zones(entry)
  // Counters and time stamps are told at the end of a flow, and listed.
  const whole = event === undefined || event.kind === 'destroy'
  const words = [
    options.extended === true ? (entry.family === 4 ? 'ipv4     2' : 'ipv6     10') : '',
    `${protocolName(protocol).padEnd(8)} ${protocol} ${entry.seconds}`,
    event === undefined || event.state ? entry.state : '',
    tupleText(original, protocol),
    originalZone === 0 ? '' : `zone-orig=${originalZone}`,
    whole ? counters(original) : '',
    (status & SEEN_REPLY) === 0 ? '[UNREPLIED]' : '',
    tupleText(reply, protocol),
    replyZone === 0 ? '' : `zone-reply=${replyZone}`,
    whole ? counters(reply) : '',
    (status & ASSURED) !== 0 ? '[ASSURED]' : '',
    event?.mark === false && entry.mark === 0 ? '' : `mark=${entry.mark}`,
    zone === 0 ? '' : `zone=${zone}`,
    entry.helper === '' ? '' : `helper=${entry.helper}`,
    whole && !Number.isNaN(entry.start) ? times(entry, options.ktimestamp === true) : '',
    event === undefined ? `use=${(options.use ?? 1) + entry.relatives}` : '',
    options.id === true ? `id=${entry.id}` : '',
    labelText(entry, options),
  ]
  return words.filter((word) => word !== '').join(' ')
}

/** All confirmed flows that last, as `conntrack -L -o extended` prints them. */
export function* formatFlows(view: FlowView, { now, wall }: Time): Generator<string> {
  for (const entry of listFlows(view, { now, wall, helperName })) yield formatEntry(entry, { extended: true })
}

/** Zone of both directions, or of one alone; 0 where there is none. */
export function zones({ original, reply }: FlowEntry): readonly [number, number, number] {
  return original.zone === reply.zone ? [original.zone, 0, 0] : [0, original.zone, reply.zone]
}

function counters({ packets, bytes }: Tuple): string {
  return Number.isNaN(packets) ? '' : `packets=${packets} bytes=${bytes}`
}

function times(entry: FlowEntry, stamps: boolean): string {
  const date = (at: number) => {
    const [day, month, of, year, time] = new Date(at).toString().split(' ')
    return `${day} ${month} ${String(Number(of)).padStart(2)} ${time} ${year}`
  }
  const words = [`delta-time=${entry.lasted}`]
  if (stamps && entry.start !== 0) words.push(`[start=${date(entry.start)}]`)
  if (stamps && entry.stop !== 0) words.push(`[stop=${date(entry.stop)}]`)
  return words.join(' ')
}

function labelText({ labels }: FlowEntry, options: LineOptions): string {
  if (labels === undefined || options.labels === undefined) return ''
  const names = options.labels(labels)
  return names.length === 0 ? '' : `labels=${names.join(',')}`
}

type Ends = Pick<Tuple, 'source' | 'destination' | 'sport' | 'dport'>

export function tupleText({ source, destination, sport, dport }: Ends, protocol: number): string {
  const addresses = `src=${addressText(source)} dst=${addressText(destination)}`
  switch (protocol) {
    case ip.PROTO_ICMP:
    case 58:
      return `${addresses} type=${dport >> 8} code=${dport & 255} id=${sport}`
    case ip.PROTO_GRE:
      return `${addresses} srckey=0x${sport.toString(16)} dstkey=0x${dport.toString(16)}`
    case ip.PROTO_TCP:
    case ip.PROTO_UDP:
    case ip.PROTO_DCCP:
    case ip.PROTO_SCTP:
    case ip.PROTO_UDPLITE:
      return `${addresses} sport=${sport} dport=${dport}`
    default:
      return addresses
  }
}
