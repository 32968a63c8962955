// Connection tracking: the hook at priority -200 that gives every packet its flow and state, and confirm, which comes
// last. A flow is begun unconfirmed by its first packet and enters the table only when that packet has passed every hook:
// a packet dropped on the way leaves nothing behind (confirming last also means that the reply tuple is what NAT made of
// it). Conntrack knows nothing of NAT. It follows Linux's nf_conntrack_core. What has to do with addresses and ICMP is the
// family's own: conntrack4.ts, conntrack6.ts.

import type { TimeoutPolicy } from '../config.ts'
import { ACCEPT, DROP } from '../hook/hook.ts'
import { CT_ESTABLISHED, CT_INVALID, CT_NEW, CT_RELATED, CT_UNTRACKED, NO_FLOW, type Packet } from '../packet/packet.ts'
import type { Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
import * as ip from '../wire/ipv4.ts'
import { Announced } from './announced.ts'
import * as event from './events.ts'
import { ACCOUNT_WORDS, HELPER_ID, LABEL_WORDS, STAMP_WORDS } from './extensions.ts'
import { findFlow } from './flow-change.ts'
import type { FlowTable } from './flows.ts'
import { GenericTracker } from './generic.ts'
import { GreTracker, keysAt } from './gre.ts'
import { helperName } from './helper/index.ts'
import { type IcmpOfFamily, IcmpTracker } from './icmp.ts'
import * as f from './record.ts'
import { SctpTracker } from './sctp.ts'
import { adjust } from './seqadj.ts'
import { EARLY_DROP, ERROR, EXPIRED, INSERT, INSERT_FAILED, STAT_DROP, STAT_INVALID, STATS } from './statistics.ts'
import { TcpTracker } from './tcp.ts'
import { Telling } from './telling.ts'
import { type Template, Templates } from './template.ts'
import { Timeouts } from './timeouts.ts'
import { DROPPED, INVALID, REOPEN, type Tracker, type Tracking } from './tracker.ts'
import { UdpTracker } from './udp.ts'

/** How far early drop looks along the index, and how many records one tick examines. */
const EVICTION_RANGE = 64
const REAP_PER_TICK = 4096

// What an ICMP message is to conntrack.
/** It may begin a flow or belong to one. */
export const MESSAGE = 0
/** An error, which quotes a packet. */
export const ERROR_MESSAGE = 1
/** Damaged, or of a type that does not exist. */
export const WRONG_MESSAGE = 2
/** Of the link's own affairs, which conntrack keeps out of. */
export const LINK_MESSAGE = 3

/** The PORTS word of the inverse of a tuple that has none. */
export const NOT_INVERTIBLE = 0xffff_ffff

/** What both families are made with. */
export interface ConntrackParts {
  readonly time: Time
  readonly sysctl: Sysctl
  /** Timeout policies by name, for CT targets. */
  readonly policies?: Readonly<Record<string, TimeoutPolicy>>
  /** Where to count, shared by both families; its own when left out. */
  readonly stats?: Float64Array
}

export abstract class Conntrack<Flows extends FlowTable = FlowTable> implements Tracking {
  readonly flows: Flows
  /** The number of the family's ICMP. */
  readonly icmp: number
  readonly time: Time
  readonly sysctl: Sysctl
  readonly timeouts: Timeouts
  readonly stats: Float64Array
  /** What is told of flows. */
  readonly telling: Telling
  /** Something was asked for since the start that changes what streams are counted by (seqadj.ts). */
  adjusting = false
  /** A rule asked for target SYNPROXY since the start. */
  proxying = false
  /** Flows that others have announced, and the helpers that read the announcements. */
  readonly announced: Announced
  /** Called once a burst when a new flow finds the table full. */
  onFull: (() => void) | undefined
  /** The other family's, whose flows count against the same bound. */
  beside: Conntrack | undefined
  readonly #trackers: Tracker[] = []
  readonly #templates = new Templates()
  #reaped = 0

  constructor({ time, sysctl, policies, stats }: ConntrackParts, flows: Flows, icmp: IcmpOfFamily) {
    this.time = time
    this.sysctl = sysctl
    this.flows = flows
    this.icmp = icmp.protocol
    this.stats = stats ?? new Float64Array(new SharedArrayBuffer(STATS.length * 8))
    const { extensions } = this.flows
    this.timeouts = new Timeouts(sysctl, extensions, policies)
    if (sysctl['net.netfilter.nf_conntrack_acct'] !== 0) extensions.account(0)
    if (sysctl['net.netfilter.nf_conntrack_timestamp'] !== 0) extensions.stamp()
    this.telling = new Telling(this.flows, time, sysctl)
    this.announced = new Announced(this.flows, time, this.stats, this.telling, (...tuple) => this.#endFlow(...tuple))
    const generic = new GenericTracker(this)
    for (let protocol = 0; protocol < 256; protocol++) this.#trackers.push(generic)
    this.#trackers[ip.PROTO_TCP] = new TcpTracker(this)
    this.#trackers[ip.PROTO_UDP] = new UdpTracker(this, ip.PROTO_UDP)
    this.#trackers[ip.PROTO_UDPLITE] = new UdpTracker(this, ip.PROTO_UDPLITE)
    this.#trackers[icmp.protocol] = new IcmpTracker(this, icmp)
    this.#trackers[ip.PROTO_GRE] = new GreTracker(this)
    this.#trackers[ip.PROTO_SCTP] = new SctpTracker(this)
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

  /** The PORTS word of the inverse of a tuple. */
  invert(protocol: number, ports: number): number {
    return protocol === this.icmp ? this.invertMessage(ports) : (ports << 16) | (ports >>> 16)
  }

  /** Protocols whose tuple has ports, or an identifier in their place; the others are tracked by address. */
  hasPorts(protocol: number): boolean {
    return protocol === this.icmp || hasPorts(protocol)
  }

  /** Name of the connection helper with this number, '' for none. */
  readonly helperName = helperName

  tracker(protocol: number): Tracker {
    return this.#trackers[protocol]
  }

  /** Flows of both families, as nf_conntrack_count has them; unconfirmed ones included. */
  get total(): number {
    return this.flows.count + (this.beside === undefined ? 0 : this.beside.flows.count)
  }

  /** Statistics by name, with the number of flows there are. */
  counters(): Record<string, number> {
    return { count: this.total, ...Object.fromEntries(STATS.map((name, i) => [name, this.stats[i]])) }
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
    if (found < 0 || !this.#expired(found >> 1)) return found
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
    let ct = this.total < flows.max ? flows.allocate() : -1
    if (ct < 0) {
      const hash = this.hashOf(p, ports, key)
      if (this.earlyDrop(hash) || this.beside?.earlyDrop(hash)) ct = flows.allocate()
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
    if (p.template !== 0) this.#templates.apply(p.template, ct, flows.extensions)
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
    const said = adjust(this.flows, p)
    if (said === DROP) this.stats[STAT_DROP]++
    return said
  }

  /** Whether packets of the flow are looked at, one by one, before they leave: by a connection helper, or to adjust their numbers. */
  isWatched(ct: number): boolean {
    const { words, extensions } = this.flows
    return (words[ct * f.WORDS + f.STATUS] & f.SEQ_ADJUST) !== 0 || extensions.extraOf(ct, HELPER_ID) !== 0
  }

  /** The last step of POSTROUTING and INPUT: the flow enters the table. DROP when another one has its tuple by now. */
  confirm(p: Packet): number {
    // An answer that a rule sent (REJECT) carries the flow of the packet that it answers, and does not make it real.
    if (!p.begins) {
      if (this.telling.active && p.ct !== NO_FLOW) this.telling.passed(p.ct)
      return ACCEPT
    }
    if (this.isTaken(p.ct)) {
      this.stats[INSERT_FAILED]++
      return DROP
    }
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
    return this.lasting(this.lookUpLike(ct, 0)) >= 0 || this.lasting(this.lookUpLike(ct, 1)) >= 0
  }

  /** The flow in the table that has this record's original tuple, or -1. */
  recordLike(ct: number): number {
    const found = this.lasting(this.lookUpLike(ct, 0))
    return found < 0 ? -1 : found >> 1
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

  /** Gives an answer the flow of the packet that it answers (nf_ct_attach): RELATED, in the other direction. */
  attach(answer: Packet, p: Packet): void {
    if (p.ct === NO_FLOW) return
    answer.ct = p.ct
    answer.ctinfo = CT_RELATED
    answer.direction = p.direction ^ 1
    answer.zone = p.zone
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
    this.flows.words[ct * f.WORDS + f.EXPIRES] = this.time.now
  }

  // ── for matches and targets ─────────────────────────────────────────────────────────────────────────────────────────

  /** From now on connection helpers read packets; they may make streams longer. */
  useHelpers(): void {
    this.announced.isUsed = true
    this.adjusting = true
  }

  /** From now on flows are accounted (match connbytes asks for it, or nf_conntrack_acct); flows that are there stay without. */
  account(): void {
    this.flows.extensions.account(this.flows.used)
  }

  /** From now on new flows can carry labels; a rule that looks at labels or sets them asks for it. */
  useLabels(): void {
    this.flows.extensions.label()
  }

  /** The flow's mark becomes this (target CONNMARK). */
  setMark(ct: number, mark: number): void {
    const { words } = this.flows
    const at = ct * f.WORDS + f.MARK
    if (words[at] === (mark | 0)) return
    words[at] = mark
    if (this.telling.active) this.telling.note(ct, event.MARK)
  }

  /** Sets a label, 0 to 127; false where the flow cannot carry any. */
  setLabel(ct: number, bit: number): boolean {
    const { extensions } = this.flows
    if (!extensions.hasLabels(ct)) return false
    const labels = extensions.labels as Int32Array
    const at = ct * LABEL_WORDS + (bit >> 5)
    if ((labels[at] & (1 << (bit & 31))) !== 0) return true
    labels[at] |= 1 << (bit & 31)
    if (this.telling.active) this.telling.note(ct, event.LABEL)
    return true
  }

  /** The number of a template, for `assign`: made once, when the rule is. */
  template(template: Template): number {
    return this.#templates.intern(template)
  }

  /** Target CT: what is known of the flow that this packet may begin, and the zone that it is looked up in. */
  assign(p: Packet, template: number): void {
    p.template = template
    p.zone = this.#templates.at(template).zone
  }

  /** @param port of the command that asks for it; 0 for packets and time */
  kill(ct: number, port = 0): void {
    if (this.telling.active) this.telling.end(ct, port)
    this.flows.remove(ct)
    this.#giveUp(ct)
  }

  /** For helpers, which know a flow by a tuple of it (conntrack/helper/helper.ts). */
  #endFlow(protocol: number, source: Words, destination: Words, ports: number, like: number): boolean {
    const ct = findFlow(this, protocol, { source, destination, ports, zone: this.flows.zone(like) })
    if (ct >= 0) this.kill(ct)
    return ct >= 0
  }

  /** The flow is in no index any more. */
  #giveUp(ct: number): void {
    this.flows.unlinkBySource(ct)
    if (this.flows.extensions.extras === undefined) this.flows.release(ct)
    else this.announced.release(ct)
  }

  #expired(ct: number): boolean {
    return ((this.flows.expires(ct) - this.time.now) | 0) <= 0
  }

  /** Makes room near a new flow's place: what has expired, else the first flow that is not ASSURED. */
  protected earlyDrop(hash: number): boolean {
    for (let step = 0; step < EVICTION_RANGE; step++) {
      const ct = this.flows.near(hash, step)
      if (ct < 0) continue
      if (!this.#expired(ct) && (this.flows.status(ct) & f.ASSURED) !== 0) continue
      this.kill(ct)
      this.stats[EARLY_DROP]++
      return true
    }
    return false
  }

  /** Examines the next few thousand records and removes those that have expired, or, nearly full, that are closing. */
  tick(): void {
    const { flows } = this
    const crowded = this.total > 0.95 * flows.max
    if (this.announced.expectations.count !== 0) this.announced.expectations.tick()
    for (let n = Math.min(REAP_PER_TICK, flows.used); n > 0; n--) {
      if (this.#reaped >= flows.used) this.#reaped = 0
      const ct = this.#reaped++
      if ((flows.status(ct) & f.CONFIRMED) === 0) continue
      if (this.#expired(ct)) {
        this.kill(ct)
        this.stats[EXPIRED]++
      } else if (
        crowded &&
        ((flows.status(ct) & f.ASSURED) === 0 || this.#trackers[flows.protocol(ct)].mayDropEarly(ct))
      ) {
        this.kill(ct)
        this.stats[EARLY_DROP]++
      }
    }
  }
}

type Words = readonly number[]

/** No record left, and nothing to drop early. */
const FULL = -2

function hasPorts(protocol: number): boolean {
  switch (protocol) {
    case ip.PROTO_TCP:
    case ip.PROTO_UDP:
    case ip.PROTO_UDPLITE:
    case ip.PROTO_SCTP:
      return true
    default:
      return false
  }
}
