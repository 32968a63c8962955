// What a rule asks of a set: which parts of a packet, under which conditions on the counters. One object a rule, made when
// the rules are loaded; a look-up allocates nothing. And how the parts are read from a packet, as the kernel's set types
// read them: no ports in later fragments, no device where the hook has none, no link addresses on TUN devices.

import type { Packet } from '../packet/packet.ts'
import * as ip from '../wire/ipv4.ts'
import { type Extensions, Extras } from './extensions.ts'
import { hasPorts, PROTO_ICMPV6 } from './port.ts'
import type { SetFamily } from './words.ts'

/** A look-up's answers. A member with nomatch was found where the packet fits: no, and nothing wider is looked for. */
export const NO = 0
export const YES = 1
export const EXCEPTED = -1

// Which way a counter is compared.
export const ANY = 0
export const EQUAL = 1
export const NOT_EQUAL = 2
export const LESS = 3
export const GREATER = 4

/** A test of a counter against a value of 64 bits in two words. */
export interface CounterTest {
  readonly way: number
  readonly high: number
  readonly low: number
}

export const NO_TEST: CounterTest = { way: ANY, high: 0, low: 0 }

/** The name of a link by its index; '' where it has none. */
export interface LinkNames {
  name(link: number): string
}

export class Ask {
  /** How many parts the rule names. */
  readonly dimensions: number
  /** Bit i: part i is the source's. */
  readonly sources: number
  readonly links: LinkNames
  returnNomatch = false
  updateCounters = true
  /** Of the members of a list:set. */
  updateSubcounters = true
  packets = NO_TEST
  bytes = NO_TEST
  /** What target SET gives to a member that it adds. */
  readonly extras = new Extras()
  exist = false
  /** The member that matched last, if it has skbinfo: for target SET --map-set. */
  found: Extensions | undefined
  place = 0

  /** @param directions true for src, in the order of the rule */
  constructor(directions: readonly boolean[], links: LinkNames) {
    this.dimensions = directions.length
    this.sources = directions.reduce((bits, source, i) => (source ? bits | (1 << i) : bits), 0)
    this.links = links
  }

  isSource(part: number): boolean {
    return (this.sources & (1 << part)) !== 0
  }

  /** Nothing was found yet. */
  forget(): void {
    this.found = undefined
  }

  /** '' where the packet has none (yet): a forwarded packet still has its incoming device at POSTROUTING. */
  device(p: Packet, source: boolean): string {
    return this.links.name(source ? p.inLink : p.outLink)
  }
}

/** Whether a counter passes. @param word 0 packets, 2 bytes */
function passes(extensions: Extensions, place: number, word: 0 | 2, { way, high, low }: CounterTest): boolean {
  if (way === ANY) return true
  const compared = extensions.compare(place, word, high, low)
  if (way === EQUAL) return compared === 0
  if (way === NOT_EQUAL) return compared !== 0
  return way === LESS ? compared < 0 : compared > 0
}

/** What a found member's extensions say: has it ended, do its counters pass? It is counted first. */
export function accepts(extensions: Extensions, place: number, ask: Ask, bytes: number, now: number): boolean {
  if (extensions.hasEnded(place, now)) return false
  if (extensions.hasCounters) {
    if (ask.updateCounters) extensions.count(place, bytes)
    if (!passes(extensions, place, 0, ask.packets) || !passes(extensions, place, 2, ask.bytes)) return false
  }
  if (extensions.hasSkb) {
    ask.found = extensions
    ask.place = place
  }
  return true
}

/** Puts the packet's address into words. */
export function readAddress(p: Packet, source: boolean, family: SetFamily, into: Int32Array, at: number): void {
  into[at] = source ? p.source : p.destination
  if (family === 4) return
  into[at + 1] = source ? p.source1 : p.destination1
  into[at + 2] = source ? p.source2 : p.destination2
  into[at + 3] = source ? p.source3 : p.destination3
}

export const NO_PORT = -1

/** protocol << 16 | port, or NO_PORT where the packet does not tell. */
export function portOf(p: Packet, source: boolean): number {
  const { protocol } = p
  const isIcmp = protocol === ip.PROTO_ICMP || protocol === PROTO_ICMPV6
  if (!isIcmp && !hasPorts(protocol)) return protocol << 16
  if ((p.fragment & ip.FRAGMENT_OFFSET_MASK) !== 0 || p.transport === 0) return NO_PORT
  return (protocol << 16) | (isIcmp || !source ? p.dport : p.sport)
}

/** The port of TCP and UDP alone. */
export function plainPortOf(p: Packet, source: boolean): number {
  if (p.protocol !== ip.PROTO_TCP && p.protocol !== ip.PROTO_UDP) return NO_PORT
  if ((p.fragment & ip.FRAGMENT_OFFSET_MASK) !== 0 || p.transport === 0) return NO_PORT
  return source ? p.sport : p.dport
}
