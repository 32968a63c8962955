// Connection tracking: the hook at priority -200 that gives every packet its flow and state, and confirm, which comes
// last. A flow is begun unconfirmed by its first packet and enters the table only when that packet has passed every hook:
// a packet dropped on the way leaves nothing behind (confirming last also means that the reply tuple is what NAT made of
// it). Conntrack knows nothing of NAT. It follows Linux's nf_conntrack_core. What has to do with addresses and ICMP is the
// family's own: conntrack4.ts, conntrack6.ts.

import { ACCEPT, DROP } from '../hook/hook.ts'
import { CT_ESTABLISHED, CT_INVALID, CT_NEW, CT_RELATED, CT_UNTRACKED, NO_FLOW, type Packet } from '../packet/packet.ts'
import type { Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
import * as ip from '../wire/ipv4.ts'
import { Announced } from './announced.ts'
import { resolveClash } from './clash.ts'
import * as event from './events.ts'
import { ACCOUNT_WORDS, HELPER_ID, STAMP_WORDS } from './extensions.ts'
import { endFlow } from './flow-change.ts'
import type { FlowTable } from './flows.ts'
import { Gc } from './gc.ts'
import { keysAt } from './gre.ts'
import { ERROR_MESSAGE, type IcmpOfFamily, LINK_MESSAGE, MESSAGE } from './icmp.ts'
import * as f from './record.ts'
import { adjust } from './seqadj.ts'
import { ERROR, EXPIRED, INSERT, STAT_DROP, STAT_INVALID, STATS } from './statistics.ts'
import { Telling } from './telling.ts'
import { Templates } from './template.ts'
import { Timeouts } from './timeouts.ts'
import { type ConntrackParts, DROPPED, INVALID, REOPEN, type Tracker, type Tracking } from './tracker.ts'
import { hasPorts, trackersOf } from './trackers.ts'

/** The PORTS word of the inverse of a tuple that has none. */
export const NOT_INVERTIBLE = 0xffff_ffff

export abstract class Conntrack<Flows extends FlowTable = FlowTable> implements Tracking {
  readonly flows: Flows
  /** The number of the family's ICMP. */
  readonly icmp: number
  /** The other family's. */
  readonly foreignIcmp: number
  readonly time: Time
  readonly sysctl: Sysctl
  readonly timeouts: Timeouts
  readonly stats: Float64Array
  /** What is told of flows. */
  readonly telling: Telling
  /** Something was asked for since the start that changes what streams are counted by (seqadj.ts). */
  adjusting = false
  /** The flow that was ended last, if it was not removed yet, and when it would have ended by itself. */
  endedFlow = NO_FLOW
  endedExpires = 0
  /** What CT targets say. */
  readonly templates = new Templates()
  /** Flows that others have announced, and the helpers that read the announcements. */
  readonly announced: Announced
  /** Called once a burst when a new flow finds the table full. */
  onFull: (() => void) | undefined
  /** The other family's, whose flows count against the same bound. */
  beside: Conntrack | undefined
  readonly #trackers: readonly Tracker[]
  /** Makes room, by itself and where a new flow asks for it. */
  readonly gc: Gc

  constructor({ time, sysctl, policies, stats }: ConntrackParts, flows: Flows, icmp: IcmpOfFamily) {
    this.time = time
    this.sysctl = sysctl
    this.flows = flows
    this.icmp = icmp.protocol
    this.foreignIcmp = icmp.protocol === ip.PROTO_ICMP ? ip.PROTO_ICMPV6 : ip.PROTO_ICMP
    this.stats = stats ?? new Float64Array(new SharedArrayBuffer(STATS.length * 8))
    const { extensions } = this.flows
    this.timeouts = new Timeouts(sysctl, extensions, policies)
    if (sysctl['net.netfilter.nf_conntrack_acct'] !== 0) extensions.account(0)
    if (sysctl['net.netfilter.nf_conntrack_timestamp'] !== 0) extensions.stamp()
    this.telling = new Telling(this.flows, time, sysctl)
    const expected = sysctl['net.netfilter.nf_conntrack_expect_max']
    this.announced = new Announced(expected, flows, time, this.stats, this.telling, (...tuple) =>
      endFlow(this, ...tuple),
    )
    this.#trackers = trackersOf(this, icmp)
    this.gc = new Gc(this)
  }

  // ── the family's own ────────────────────────────────────────────────────────────────────────────────────────────────

  /** The flow that has the packet's tuple under this key, as record << 1 | direction, or -1. */
  protected abstract lookUp(p: Packet, ports: number, key: number): number

  /** The flow in the table that has this tuple of the record, likewise. */
  protected abstract lookUpLike(ct: number, direction: number): number

  /** Where the packet's tuple would stand in the index. */
  protected abstract hashOf(p: Packet, ports: number, key: number): number

  /** Writes the packet's addresses into a new record: the original tuple's, and swapped the reply tuple's. */
  protected abstract writeAddresses(p: Packet, ct: number): void

  /** Writes the addresses, in words, of a tuple into a record that is in no index. */
  abstract writeTuple(ct: number, direction: number, source: readonly number[], destination: readonly number[]): void

  /** MESSAGE, ERROR_MESSAGE, WRONG_MESSAGE or LINK_MESSAGE; the packet's protocol is the family's ICMP. */
  protected abstract judgeMessage(p: Packet): number

  /**
   * The flow whose packet an ICMP error quotes, looked up in the zone of a direction, as record << 1 | direction, or -1:
   * also when the error does not go where the packets of what was found go.
   */
  protected abstract lookUpQuoted(p: Packet, direction: number): number

  /** The PORTS word of the answer to an ICMP message, or NOT_INVERTIBLE for types that have none. */
  abstract invertMessage(ports: number): number

  // ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The PORTS word of the inverse of a tuple; NOT_INVERTIBLE for the other family's ICMP too, which is nobody's here. */
  invert(protocol: number, ports: number): number {
    if (protocol === this.foreignIcmp) return NOT_INVERTIBLE
    return protocol === this.icmp ? this.invertMessage(ports) : (ports << 16) | (ports >>> 16)
  }

  /** Protocols whose tuple has ports, or an identifier in their place; the others are tracked by address. */
  hasPorts(protocol: number): boolean {
    return protocol === this.icmp || hasPorts(protocol)
  }

  tracker(protocol: number): Tracker {
    return this.#trackers[protocol]
  }

  /** Flows of both families, as nf_conntrack_count has them; unconfirmed ones included. */
  get total(): number {
    return this.flows.count + (this.beside === undefined ? 0 : this.beside.flows.count)
  }

  /** The conntrack hook in PREROUTING and OUTPUT. ACCEPT, with p.ct and p.ctinfo set, or DROP. */
  input(p: Packet): number {
    // Untracked by a rule, or looped back: what was found on the way out still holds.
    if (p.ct !== NO_FLOW || p.ctinfo === CT_UNTRACKED) return ACCEPT
    if ((p.zone & f.ZONE_MARK) !== 0) p.zone = (p.zone & (f.ZONE_ORIGINAL | f.ZONE_REPLY)) | (p.mark & 0xffff)
    if (p.protocol === this.icmp) {
      const message = this.judgeMessage(p)
      if (message !== MESSAGE) return this.#outsideFlows(p, message)
    }
    const tracker = this.#trackers[p.protocol]
    for (;;) {
      const ct = this.#resolve(p)
      if (ct === NO_FLOW) return this.invalid(p)
      if (ct === FULL) return DROP
      const said = this.telling.active ? this.telling.track(p, ct, tracker) : tracker.track(p, ct)
      if (said === REOPEN) continue
      if (said === INVALID || said === DROPPED) {
        if (p.begins) this.#giveUp(ct)
        p.begins = false
        if (said === INVALID) return this.invalid(p)
        p.ct = NO_FLOW
        this.stats[STAT_DROP]++
        return DROP
      }
      if (p.direction === 1) this.flows.words[ct * f.WORDS + f.STATUS] |= f.SEEN_REPLY
      return ACCEPT
    }
  }

  /** Finds the packet's flow, or begins one; NO_FLOW when its tuple cannot be, FULL when there is no room. */
  #resolve(p: Packet): number {
    const { flows } = this
    const { words } = flows
    let ports = 0
    if (this.hasPorts(p.protocol)) {
      if (p.transport === 0) return NO_FLOW
      ports = (p.sport << 16) | p.dport
    } else if (p.protocol === ip.PROTO_GRE) {
      ports = keysAt(p.view, p.transport, p.start + p.length)
      if (ports < 0) return NO_FLOW
      const { greKeys } = this.announced
      if (greKeys.size !== 0) ports |= greKeys.sourceOf(p, ports) << 16
    }
    const found =
      p.zone <= 0xffff ? this.lasting(this.lookUp(p, ports, f.key(p.protocol, p.zone))) : this.#lookUpDirected(p, ports)
    if (found < 0) return this.#begin(p, ports)
    const status = words[(found >> 1) * f.WORDS + f.STATUS]
    p.ct = found >> 1
    p.direction = found & 1
    p.ctinfo =
      (found & 1) === 1 || (status & f.SEEN_REPLY) !== 0
        ? CT_ESTABLISHED
        : (status & f.EXPECTED) !== 0
          ? CT_RELATED
          : CT_NEW
    return p.ct
  }

  /** What a look-up found (record << 1 | direction, or -1), if it lasts: a flow that is over is removed, which gives -1. */
  lasting(found: number): number {
    if (found < 0 || !this.flows.isOver(found >> 1, this.time.now)) return found
    this.kill(found >> 1)
    this.stats[EXPIRED]++
    return -1
  }

  /** The packet's flow where its zone counts for one direction only: each direction is looked up in its own. */
  #lookUpDirected(p: Packet, ports: number): number {
    for (let direction = 0; direction < 2; direction++) {
      const found = this.lasting(this.lookUp(p, ports, f.keyIn(p.protocol, p.zone, direction)))
      if (found >= 0 && (found & 1) === direction) return found
    }
    return -1
  }

  #begin(p: Packet, ports: number): number {
    const { flows } = this
    const key = f.keyIn(p.protocol, p.zone, 0)
    const reply = this.invert(p.protocol, ports)
    if (reply === NOT_INVERTIBLE) return NO_FLOW
    let ct = this.total < flows.max ? flows.allocate(p.protocol) : -1
    if (ct < 0) {
      const hash = this.hashOf(p, ports, key)
      if (this.gc.earlyDrop(hash) || this.beside?.gc.earlyDrop(hash)) ct = flows.allocate(p.protocol)
      if (ct < 0) {
        this.stats[STAT_DROP]++
        this.onFull?.()
        return FULL
      }
    }
    const { words } = flows
    const base = ct * f.WORDS
    this.writeAddresses(p, ct)
    words[base + f.PORTS] = ports
    words[base + f.TUPLE_WORDS + f.PORTS] = reply
    words[base + f.KEY] = key
    words[base + f.REPLY_KEY] = f.keyIn(p.protocol, p.zone, 1)
    if (p.template !== 0) this.templates.apply(p.template, ct, flows.extensions)
    if (this.telling.begins) this.telling.begin(ct)
    p.ct = ct
    p.begins = true
    p.direction = 0
    p.ctinfo = CT_NEW
    if (this.announced.expectations.count !== 0) this.announced.begin(p, ports)
    return ct
  }

  /** An ICMP error belongs to the flow whose packet it quotes, and only if it goes to that packet's sender. */
  #outsideFlows(p: Packet, message: number): number {
    if (message === LINK_MESSAGE) {
      p.ctinfo = CT_UNTRACKED
      return ACCEPT
    }
    const found = message === ERROR_MESSAGE ? this.#quotedFlow(p) : -1
    if (found < 0) {
      this.stats[ERROR]++
      return this.invalid(p)
    }
    p.ct = found >> 1
    p.direction = found & 1
    p.ctinfo = CT_RELATED
    return ACCEPT
  }

  #quotedFlow(p: Packet): number {
    for (let direction = 0; direction < 2; direction++) {
      const found = this.lasting(this.lookUpQuoted(p, direction))
      if (found >= 0 && (found & 1) === direction) return found
    }
    return -1
  }

  protected invalid(p: Packet): number {
    p.ct = NO_FLOW
    p.ctinfo = CT_INVALID
    p.direction = 0
    this.stats[STAT_INVALID]++
    return ACCEPT
  }

  /** The step before confirm, where `adjusting`: the segment gets the numbers that its receiver counts in. */
  adjust(p: Packet): number {
    return adjust(this, p)
  }

  /** Whether NAT has chosen for both ends of the flow, if only that they stay. */
  isBound(ct: number): boolean {
    return (this.flows.words[ct * f.WORDS + f.STATUS] & f.NAT_DONE) === f.NAT_DONE
  }

  /** The last step of POSTROUTING and INPUT: the flow enters the table, or another one that was faster has its tuples. */
  confirm(p: Packet): number {
    // An answer that a rule sent (REJECT) carries the flow of the packet that it answers, and does not make it real.
    if (!p.begins) {
      if (this.telling.active && p.ct !== NO_FLOW) this.telling.passed(p.ct)
      return ACCEPT
    }
    const original = this.likeOriginal(p.ct)
    const reply = this.lasting(this.lookUpLike(p.ct, 1))
    if ((original & reply) !== -1) return resolveClash(this, p, original, reply)
    p.begins = false
    this.#insert(p.ct)
    if (this.telling.active) {
      const { flows } = this
      const kind = (flows.status(p.ct) & f.EXPECTED) === 0 ? event.NEW : event.RELATED
      this.telling.note(p.ct, kind | (flows.extensions.extraOf(p.ct, HELPER_ID) === 0 ? 0 : event.HELPER))
      this.telling.passed(p.ct)
    }
    return ACCEPT
  }

  /** Whether the table has a flow with one of the tuples of this record, which is not in it. */
  isTaken(ct: number): boolean {
    return this.likeOriginal(ct) >= 0 || this.lasting(this.lookUpLike(ct, 1)) >= 0
  }

  /** The flow in the table that has this record's original tuple, as record << 1 | direction, or -1. */
  likeOriginal(ct: number): number {
    return this.lasting(this.lookUpLike(ct, 0))
  }

  #insert(ct: number): void {
    const { flows } = this
    flows.words[ct * f.WORDS + f.STATUS] |= f.CONFIRMED
    flows.insert(ct)
    const { stamps } = flows.extensions
    if (stamps !== undefined) stamps[ct * STAMP_WORDS] = this.time.wall
    this.stats[INSERT]++
  }

  /** A flow that a command made: its record is complete, and nobody else has its tuples. */
  adopt(ct: number, port: number): void {
    const { words } = this.flows
    if ((words[ct * f.WORDS + f.STATUS] & f.NAT) !== 0) this.flows.linkBySource(ct)
    this.#insert(ct)
    if (this.telling.begins) this.telling.begin(ct)
    this.telling.tell(ct, event.ALL & ~event.DESTROY, port)
  }

  /** The packet is at its end: a flow that it began and that was not confirmed goes with it. */
  forget(p: Packet): void {
    if (p.ct === NO_FLOW) return
    if (p.begins) {
      this.#giveUp(p.ct)
      p.begins = false
    }
    p.ct = NO_FLOW
    p.ctinfo = CT_INVALID
  }

  /** Target NOTRACK: the packet has no flow and is UNTRACKED. */
  untrack(p: Packet): void {
    this.forget(p)
    p.ctinfo = CT_UNTRACKED
  }

  /** A rule answered the packet with a RST: its flow is over, and lingers no longer than a closed one. */
  close(p: Packet): void {
    if (p.ct !== NO_FLOW) this.#trackers[p.protocol].close?.(p.ct)
  }

  refresh(p: Packet, ct: number, milliseconds: number): void {
    const { words, extensions } = this.flows
    const base = ct * f.WORDS
    if ((words[base + f.STATUS] & f.FIXED_TIMEOUT) === 0) words[base + f.EXPIRES] = (this.time.now + milliseconds) | 0
    if (extensions.accounts !== undefined) this.count(p, ct)
  }

  /** Counts the packet for its flow, where flows are accounted. */
  count(p: Packet, ct: number): void {
    const { accounts } = this.flows.extensions
    if (accounts === undefined) return
    const at = ct * ACCOUNT_WORDS + 2 * p.direction
    accounts[at]++
    accounts[at + 1] += p.length
  }

  over(p: Packet, ct: number): void {
    this.count(p, ct)
    if (this.telling.active) this.telling.end(ct, 0)
    this.endedFlow = ct
    this.endedExpires = this.flows.expires(ct)
    this.flows.words[ct * f.WORDS + f.EXPIRES] = this.time.now
  }

  /** @param port of the command that asks for it; 0 for packets and time */
  kill(ct: number, port = 0): void {
    if (this.telling.active) this.telling.end(ct, port)
    this.flows.remove(ct)
    if (this.endedFlow === ct) this.endedFlow = NO_FLOW
    this.#giveUp(ct)
  }

  /** The flow is in no index any more. */
  #giveUp(ct: number): void {
    this.flows.unlinkBySource(ct)
    if (this.flows.extensions.extras === undefined) this.flows.release(ct)
    else this.announced.release(ct)
  }

  /** Time has passed. What of the table is over is removed by gc.collect(), a part at a time. */
  tick(): void {
    if (this.announced.expectations.count !== 0) this.announced.expectations.tick()
    this.gc.tick()
  }
}

/** No record left, and nothing to drop early. */
const FULL = -2
