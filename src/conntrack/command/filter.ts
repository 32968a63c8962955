// Which flows a conntrack command means.

import * as ip from '../../wire/ipv4.ts'
import type { FlowEntry } from './entry.ts'
import { zones } from './line.ts'
import type { Address, Manip, Request } from './request.ts'
import { isDnat, isSnat } from './save-form.ts'

export type Filter = (entry: FlowEntry) => boolean

/** The filter of -L, -D, -E; of -U without what it sets. */
export function filterOf(request: Request): Filter {
  const { values, protocol, family } = request
  const updates = request.command === 'U'
  const tests: Filter[] = []
  const add = <T>(value: T | undefined, test: (value: T) => Filter) => {
    if (value !== undefined) tests.push(test(value))
  }
  if (family !== 0) tests.push((entry) => entry.family === family)
  add(protocol, (wanted) => (entry) => entry.protocol === wanted)
  add(values.src, (address) => within(address, values['mask-src'], (entry) => entry.original.source))
  add(values.dst, (address) => within(address, values['mask-dst'], (entry) => entry.original.destination))
  add(values['reply-src'], (address) => within(address, undefined, (entry) => entry.reply.source))
  add(values['reply-dst'], (address) => within(address, undefined, (entry) => entry.reply.destination))
  add(values.sport, (port) => (entry) => entry.original.sport === port)
  add(values.dport, (port) => (entry) => entry.original.dport === port)
  add(values['reply-port-src'], (port) => (entry) => entry.reply.sport === port)
  add(values['reply-port-dst'], (port) => (entry) => entry.reply.dport === port)
  add(values['icmp-type'], (type) => (entry) => entry.original.dport >> 8 === type)
  add(values['icmp-code'], (code) => (entry) => (entry.original.dport & 255) === code)
  add(values.zone, (zone) => (entry) => zones(entry)[0] === zone)
  add(values['orig-zone'], (zone) => (entry) => zones(entry)[1] === zone)
  add(values['reply-zone'], (zone) => (entry) => zones(entry)[2] === zone)
  add(values.id, (id) => (entry) => entry.id === id)
  add(values['src-nat'], (manip) => natTest(manip, true, false))
  add(values['dst-nat'], (manip) => natTest(manip, false, true))
  add(values['any-nat'], (manip) => natTest(manip, true, true))
  add(values.label, (labels) => (entry) => labels.every((bit) => hasLabel(entry, bit)))
  if (!updates) {
    add(values.state, (state) => (entry) => hasState(entry) && entry.stateNumber === state)
    add(values.status, (status) => (entry) => (entry.status & status) === status)
    add(
      values.mark,
      ({ value, mask }) =>
        (entry) =>
          ((entry.mark & (mask ?? -1)) ^ value) === 0,
    )
  }
  return (entry) => tests.every((test) => test(entry))
}

function hasState({ protocol }: FlowEntry): boolean {
  return protocol === ip.PROTO_TCP || protocol === ip.PROTO_SCTP
}

function hasLabel({ labels }: FlowEntry, bit: number): boolean {
  return labels !== undefined && ((labels[bit >> 5] >>> (bit & 31)) & 1) !== 0
}

function within(address: Address, mask: Address | undefined, of: (entry: FlowEntry) => Address): Filter {
  return (entry) => {
    const words = of(entry)
    return words.length === address.length && words.every((word, i) => ((word ^ address[i]) & (mask?.[i] ?? -1)) === 0)
  }
}

function natTest(manip: Manip, source: boolean, destination: boolean): Filter {
  return (entry) => (source && isTranslated(entry, manip, true)) || (destination && isTranslated(entry, manip, false))
}

function isTranslated(entry: FlowEntry, { address, port }: Manip, source: boolean): boolean {
  const { original, reply } = entry
  const own = source ? original.sport : original.dport
  const now = source ? reply.dport : reply.sport
  const portChanged = entry.protocol !== ip.PROTO_ICMP && own !== now && (source ? hasBit(entry, 4) : hasBit(entry, 5))
  if (!(source ? isSnat(entry) : isDnat(entry)) && !portChanged) return false
  if (port !== undefined && now !== port) return false
  const to = source ? reply.destination : reply.source
  if (address === undefined) return true
  // The tool compares no IPv6 address here.
  return to.length === address.length && (to.length > 1 || to[0] === address[0])
}

/** Status bits 4 and 5: source and destination NAT. */
function hasBit({ status }: FlowEntry, bit: number): boolean {
  return ((status >>> bit) & 1) !== 0
}
