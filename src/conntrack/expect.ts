// Expectations: flows that another one, its master, has announced (nf_conntrack_expect). A helper reads the announcement and adds
// the expectation; the first packet of a flow that fits takes it, and its flow is RELATED.
//
// What always holds: an expectation goes when its flow comes, with its timeout, or with its master, whichever is first; no two
// expectations fit the same packet; a packet whose master is not confirmed yet fits none.

import type { Packet } from '../packet/packet.ts'
import type { Time } from '../time.ts'
import * as event from './events.ts'
import type { FlowTable } from './flows.ts'
import * as f from './record.ts'
import { EXPECT_CREATE, EXPECT_DELETE, EXPECT_NEW } from './statistics.ts'
import type { Telling } from './telling.ts'

/** Milliseconds: times are kept in 31 bits. */
const LONGEST = 0x7fff_ffff

/** What is expected, and of whom. */
export interface Expectation {
  /** Number of the helper that made it. */
  readonly helper: number
  /** Which of the helper's classes it counts for. */
  readonly class: number
  /** Record of the flow that announced it. */
  readonly master: number
  readonly protocol: number
  /** In words, one for IPv4, four for IPv6; of the source and its port what the masks leave. */
  readonly source: readonly number[]
  readonly sourceMask: readonly number[]
  readonly destination: readonly number[]
  readonly sport: number
  readonly sportMask: number
  readonly dport: number
  /** How NAT binds the flow; undefined where the rules of the nat table are asked as for any other flow. */
  readonly follow: Follow | undefined
  /** Number of a helper that is attached to the flow. */
  readonly attach?: number
  /** It stays when its flow comes. */
  readonly isPermanent?: boolean
  /** No flow takes it before it is activated. */
  readonly isInactive?: boolean
}

/**
 * A flow that goes where its translated master goes (nf_nat_follow_master): it comes from where the master's packets of the other
 * direction are sent to, and goes to where they come from, to this port.
 */
export interface Follow {
  /** The master's direction that the flow has. */
  readonly direction: number
  readonly port: number
  /** The port, a call's number, is the source's (PPTP). */
  readonly isSource?: boolean
  /** It goes here instead; then its source is translated only where it is announced itself, or comes from the master (SIP). */
  readonly address?: readonly number[]
}

/** An expectation as it is listed and told. */
export interface ExpectationEntry {
  readonly expected: Omit<Expectation, 'master' | 'follow'>
  readonly master: {
    readonly protocol: number
    readonly source: readonly number[]
    readonly destination: readonly number[]
    readonly sport: number
    readonly dport: number
  }
  /** Whole seconds that are left. */
  readonly seconds: number
}

/** How many expectations of a class one master may have, and how long each lasts, in milliseconds. */
export interface ExpectPolicy {
  readonly max: number
  readonly timeout: number
}

// What becomes of a new expectation.
export const ADDED = 0
/** Another one fits the same packets. */
export const CLASHES = 1
/** There are as many as there can be. */
export const TOO_MANY = 2
/** The same is expected already, by another master or of another class. */
export const ALREADY = 3

interface Standing {
  readonly expectation: Expectation
  readonly policy: ExpectPolicy
  /** Time.now at which it ends. */
  expires: number
  isInactive: boolean
}

export class Expectations {
  count = 0
  /** The other family's, which count against the same bound. */
  beside: Expectations | undefined
  readonly #max: number
  readonly #flows: FlowTable
  readonly #time: Time
  readonly #stats: Float64Array
  readonly #telling: Telling
  /** By protocol << 16 | destination port. */
  readonly #byPort = new Map<number, Standing[]>()
  /** By master, the oldest first. */
  readonly #byMaster = new Map<number, Standing[]>()

  /**
   * @param max as many as there can be, of both families (net.netfilter.nf_conntrack_expect_max)
   * @param stats where what becomes of expectations is counted  @param telling where it is told
   */
  constructor(max: number, flows: FlowTable, time: Time, stats: Float64Array, telling: Telling) {
    this.#max = max
    this.#flows = flows
    this.#time = time
    this.#stats = stats
    this.#telling = telling
  }

  /**
   * One that its master has announced before begins anew; of a master that has as many as it may the oldest goes.
   * @param ofAny what any master has announced before counts, too
   * @returns ADDED, CLASHES, TOO_MANY or ALREADY
   */
  add(expectation: Expectation, policy: ExpectPolicy, ofAny = false): number {
    const { master } = expectation
    for (const other of [...(this.#byPort.get(placeOf(expectation)) ?? [])]) {
      if (this.#isOver(other)) this.#remove(other)
      else if (isSameTuple(other.expectation, expectation) && this.#mayReplace(other.expectation, expectation, ofAny)) {
        if (other.expectation.master !== master || other.expectation.class !== expectation.class) return ALREADY
        this.#remove(other)
      } else if (this.#clashes(other.expectation, expectation)) return CLASHES
    }
    const siblings = (this.#byMaster.get(master) ?? []).filter((each) => each.expectation.class === expectation.class)
    if (siblings.length >= policy.max) this.#remove(siblings[0])
    if (this.count + (this.beside?.count ?? 0) >= this.#max) return TOO_MANY
    const standing = {
      expectation,
      policy,
      expires: (this.#time.now + policy.timeout) | 0,
      isInactive: expectation.isInactive === true,
    }
    push(this.#byPort, placeOf(expectation), standing)
    push(this.#byMaster, master, standing)
    this.count++
    this.#stats[EXPECT_CREATE]++
    this.#tell(standing, event.EXPECT_NEW)
    return ADDED
  }

  /**
   * Takes the expectation that this packet, the first of its flow, fits; undefined where none does.
   * @param ports the PORTS word of the packet's tuple
   */
  take(p: Packet, ports: number): Expectation | undefined {
    const found = this.#byPort.get((p.protocol << 16) | (ports & 0xffff))?.find((each) => this.#fits(each, p, ports))
    if (found === undefined || (this.#flows.status(found.expectation.master) & f.CONFIRMED) === 0) return undefined
    if (found.expectation.isPermanent !== true) this.#remove(found)
    this.#stats[EXPECT_NEW]++
    return found.expectation
  }

  #fits(standing: Standing, p: Packet, ports: number): boolean {
    const { source, sourceMask, destination, sport, sportMask, master } = standing.expectation
    return (
      !standing.isInactive &&
      !this.#isOver(standing) &&
      ((sport ^ (ports >>> 16)) & sportMask) === 0 &&
      isSame(source, [p.source, p.source1, p.source2, p.source3], sourceMask) &&
      isSame(destination, [p.destination, p.destination1, p.destination2, p.destination3]) &&
      this.#zone(master) === (p.zone & 0xffff)
    )
  }

  /** What a flow has announced goes: all of it, or what is meant. */
  removeOf(master: number, isMeant: (expectation: Expectation) => boolean = () => true): void {
    for (const each of [...(this.#byMaster.get(master) ?? [])]) if (isMeant(each.expectation)) this.#remove(each)
  }

  /** The one of this master that is meant may be taken, for so many milliseconds; false where there is none. */
  activate(master: number, isMeant: (expectation: Expectation) => boolean, milliseconds: number): boolean {
    const found = this.#byMaster.get(master)?.find((each) => !this.#isOver(each) && isMeant(each.expectation))
    if (found === undefined) return false
    found.expires = (this.#time.now + Math.min(milliseconds, LONGEST)) | 0
    found.isInactive = false
    return true
  }

  /** What this master expects. */
  of(master: number): readonly Expectation[] {
    return (this.#byMaster.get(master) ?? []).filter((each) => !this.#isOver(each)).map((each) => each.expectation)
  }

  /** Removes those whose time is over. */
  tick(): void {
    for (const each of [...this.#all()]) if (this.#isOver(each)) this.#remove(each)
  }

  /** Those that last, the newest last. */
  *entries(): Generator<ExpectationEntry> {
    for (const each of this.#all()) if (!this.#isOver(each)) yield this.#entryOf(each)
  }

  /** The one that a packet of this tuple would take, whatever its master; what is asked for has the family's words. */
  find(protocol: number, source: readonly number[], destination: readonly number[], sport: number, dport: number) {
    const found = this.#byPort
      .get((protocol << 16) | dport)
      ?.find(
        (each) =>
          !this.#isOver(each) &&
          ((each.expectation.sport ^ sport) & each.expectation.sportMask) === 0 &&
          isSame(each.expectation.source, source, each.expectation.sourceMask) &&
          isSame(each.expectation.destination, destination),
      )
    if (found === undefined) return undefined
    return { entry: this.#entryOf(found), remove: () => this.#remove(found) }
  }

  /** Removes all of them. */
  clear(): void {
    for (const each of [...this.#all()]) this.#remove(each)
  }

  #entryOf({ expectation, expires, isInactive }: Standing): ExpectationEntry {
    const { master, follow: _, ...expected } = expectation
    const flows = this.#flows
    return {
      expected: { ...expected, isInactive },
      master: {
        protocol: flows.protocol(master),
        source: flows.sourceWords(master, 0),
        destination: flows.destinationWords(master, 0),
        sport: flows.sport(master, 0),
        dport: flows.dport(master, 0),
      },
      seconds: Math.max(0, Math.floor(((expires - this.#time.now) | 0) / 1000)),
    }
  }

  #tell(standing: Standing, bits: number): void {
    if (this.#telling.active) this.#telling.tellExpectation(standing.expectation.master, bits, this.#entryOf(standing))
  }

  *#all(): Generator<Standing> {
    for (const siblings of this.#byMaster.values()) yield* siblings
  }

  #remove(standing: Standing): void {
    drop(this.#byPort, placeOf(standing.expectation), standing)
    drop(this.#byMaster, standing.expectation.master, standing)
    this.count--
    this.#stats[EXPECT_DELETE]++
    this.#tell(standing, event.EXPECT_DESTROY)
  }

  #isOver({ expires }: Standing): boolean {
    return ((expires - this.#time.now) | 0) <= 0
  }

  /** The zone that the flow is in, also where that counts for one direction only. */
  #zone(ct: number): number {
    return this.#flows.zone(ct, 0) || this.#flows.zone(ct, 1)
  }

  /** Whether what is expected takes the place of the same. */
  #mayReplace(other: Expectation, { master }: Expectation, ofAny: boolean): boolean {
    return other.master === master || (ofAny && this.#zone(other.master) === this.#zone(master))
  }

  /** Whether a packet could fit both, which have the same protocol and destination port. */
  #clashes(a: Expectation, b: Expectation): boolean {
    const mask = a.sourceMask.map((word, i) => word & b.sourceMask[i])
    return (
      ((a.sport ^ b.sport) & a.sportMask & b.sportMask) === 0 &&
      isSame(a.source, b.source, mask) &&
      isSame(a.destination, b.destination) &&
      this.#zone(a.master) === this.#zone(b.master)
    )
  }
}

/** Both have the same protocol and destination port. */
function isSameTuple(a: Expectation, b: Expectation): boolean {
  return (
    a.sport === b.sport &&
    a.sportMask === b.sportMask &&
    isSame(a.source, b.source) &&
    isSame(a.sourceMask, b.sourceMask) &&
    isSame(a.destination, b.destination)
  )
}

function placeOf({ protocol, dport }: Expectation): number {
  return (protocol << 16) | dport
}

/** Whether two addresses are the same under a mask; `b` may have more words. */
function isSame(a: readonly number[], b: readonly number[], mask?: readonly number[]): boolean {
  return a.every((word, i) => ((word ^ b[i]) & (mask?.[i] ?? -1)) === 0)
}

function push(map: Map<number, Standing[]>, place: number, standing: Standing): void {
  const there = map.get(place)
  if (there === undefined) map.set(place, [standing])
  else there.push(standing)
}

function drop(map: Map<number, Standing[]>, place: number, standing: Standing): void {
  const there = map.get(place)
  if (there === undefined) return
  there.splice(there.indexOf(standing), 1)
  if (there.length === 0) map.delete(place)
}
