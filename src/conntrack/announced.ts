// Flows that others announced, their masters: a connection helper reads the master's packets and expects the flow, whose first
// packet makes it RELATED. Without a rule that attaches a helper (CT --helper) nothing of this runs.
//
// What always holds: the record of a master stays for as long as there are flows that it announced, also when it is over; then it
// is neither confirmed nor in any index.

import { ACCEPT } from '../hook/hook.ts'
import { CT_RELATED, NO_FLOW, type Packet } from '../packet/packet.ts'
import type { Time } from '../time.ts'
import { PROTO_GRE } from '../wire/ipv4.ts'
import { type Expectation, Expectations } from './expect.ts'
import { EXTRA_WORDS, HELPER_ID, MASTER, RELATIVES } from './extensions.ts'
import type { FlowTable } from './flows.ts'
import { GreKeys } from './gre.ts'
import type { Helping } from './helper/helper.ts'
import { HELPERS } from './helper/index.ts'
import * as f from './record.ts'
import type { Telling } from './telling.ts'

export class Announced {
  readonly flows: FlowTable
  readonly #time: Time
  readonly expectations: Expectations
  /** A rule has asked for a connection helper since the start. */
  isUsed = false
  /** What helpers keep of a flow, by its record. */
  readonly kept = new Map<number, unknown>()
  readonly greKeys = new GreKeys()
  readonly endFlow: Helping['endFlow']
  /** An int32; NAT's. */
  random: () => number = () => 0
  /** NAT's: binds a flow that is just being begun so that it goes where its master does. */
  follow: ((ct: number, expectation: Expectation) => void) | undefined

  /** @param max expectations that there can be */
  constructor(
    max: number,
    flows: FlowTable,
    time: Time,
    stats: Float64Array,
    telling: Telling,
    endFlow: Helping['endFlow'],
  ) {
    this.flows = flows
    this.endFlow = endFlow
    this.#time = time
    this.expectations = new Expectations(max, flows, time, stats, telling)
  }

  /** Whether packets of the flow are looked at, one by one, before they leave: by a connection helper, or to adjust their numbers. */
  isWatched(ct: number): boolean {
    const { words, extensions } = this.flows
    return (words[ct * f.WORDS + f.STATUS] & f.SEQ_ADJUST) !== 0 || extensions.extraOf(ct, HELPER_ID) !== 0
  }

  /** The flow lasts for so many milliseconds from now on. */
  refresh(ct: number, milliseconds: number): void {
    const { words } = this.flows
    const base = ct * f.WORDS
    if ((words[base + f.STATUS] & f.FIXED_TIMEOUT) === 0) words[base + f.EXPIRES] = (this.#time.now + milliseconds) | 0
  }

  /** The hook at priority 300: the flow's helper reads the packet as it leaves, or as it is delivered. ACCEPT or DROP. */
  help(p: Packet): number {
    if (p.ct === NO_FLOW || p.transport === 0) return ACCEPT
    const number = this.flows.extensions.extraOf(p.ct, HELPER_ID)
    // An ICMP error about the flow is not of its protocol.
    if (number === 0 || p.protocol !== this.flows.protocol(p.ct)) return ACCEPT
    return HELPERS[number]?.help(p, this, number) ?? ACCEPT
  }

  /**
   * A packet begins a flow, whose record is complete: was it announced? Then it has its master's mark and takes its master's
   * translation; and no helper but what the expectation says, because a rule attaches helpers to flows that nobody announced.
   */
  begin(p: Packet, ports: number): void {
    const expectation = this.expectations.take(p, ports)
    if (expectation === undefined) return
    const { ct } = p
    const { master, follow } = expectation
    const { words, extensions } = this.flows
    const extras = extensions.extra()
    words[ct * f.WORDS + f.STATUS] |= f.EXPECTED
    words[ct * f.WORDS + f.MARK] = words[master * f.WORDS + f.MARK]
    extras[ct * EXTRA_WORDS + MASTER] = master + 1
    extras[ct * EXTRA_WORDS + HELPER_ID] = expectation.attach ?? 0
    extras[master * EXTRA_WORDS + RELATIVES]++
    p.ctinfo = CT_RELATED
    if (follow !== undefined) this.follow?.(ct, expectation)
    HELPERS[expectation.helper]?.came?.(expectation, this)
  }

  /**
   * The flow is in no index any more, so its record can be given back; with it its master's, where that is over and has announced
   * nothing else.
   */
  release(ct: number): void {
    const { flows } = this
    if (this.expectations.count !== 0) this.expectations.removeOf(ct)
    const { extras } = flows.extensions
    if (extras === undefined) return flows.release(ct)
    const helper = extras[ct * EXTRA_WORDS + HELPER_ID]
    if (helper !== 0) {
      HELPERS[helper]?.over?.(ct, this)
      this.kept.delete(ct)
    }
    const status = ct * f.WORDS + f.STATUS
    if (extras[ct * EXTRA_WORDS + RELATIVES] !== 0) {
      flows.words[status] = (flows.words[status] & ~f.CONFIRMED) | f.DYING
      return
    }
    const master = extras[ct * EXTRA_WORDS + MASTER] - 1
    if (master >= 0 && flows.protocol(ct) === PROTO_GRE) this.greKeys.remove(master)
    flows.release(ct)
    if (master < 0) return
    const left = --extras[master * EXTRA_WORDS + RELATIVES]
    if (left === 0 && (flows.words[master * f.WORDS + f.STATUS] & f.DYING) !== 0) this.release(master)
  }
}
