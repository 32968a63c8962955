// What target SYNPROXY does (nf_synproxy_core): the router answers a client's SYN in the server's place and keeps nothing of it. All
// is in the SYN/ACK: the cookie in its sequence number, and what the client's options said in the low bits of its time stamp.
// A client that acknowledges it exists. Only then the router opens the connection to the server, with the client's addresses and
// numbers; when the server answers, the router acknowledges that, and opens the window, which was 0 until then, to the client.
//
//   client                    router                       server
//     │ SYN s                    │                            │
//     │ SYN/ACK c, ack s+1, win 0│                            │
//     │ ACK s+1, ack c+1         │ SYN s (ack: c)             │
//     │                          │ SYN/ACK t, ack s+1         │
//     │ ACK c+1, ack s+1         │ ACK s+1, ack t+1           │
//     │ data                     │ data; c-t and the clocks' difference are made up for
//
// The flow begins with the SYN to the server. What the router needs of it is in an extension (conntrack/extensions.ts), which a
// flow gets from the template of that SYN; the SYN's acknowledgement field, which means nothing, brings it the cookie. A family's
// own headers are in synproxy4.ts and synproxy6.ts.

import { checksumWrong } from '../conntrack/checksum.ts'
import type { Conntrack } from '../conntrack/conntrack.ts'
import * as event from '../conntrack/events.ts'
import { COOKIE, ECHO, PROXIED, PROXY_WORDS, STAMP_OFFSET } from '../conntrack/extensions.ts'
import * as f from '../conntrack/record.ts'
import { setWord, streamMoves } from '../conntrack/seqadj.ts'
import { sequencesAt } from '../conntrack/sequences.ts'
import * as r from '../conntrack/tcp-record.ts'
import { CLOSE, SYN_RECV, SYN_SENT } from '../conntrack/tcp-states.ts'
import { LOOPBACK } from '../device/link.ts'
import { ACCEPT, DROP, STOLEN } from '../hook/hook.ts'
import { CT_ESTABLISHED, NO_FLOW, type Packet } from '../packet/packet.ts'
import { REASON } from '../packet/reason.ts'
import { secretOf } from '../random.ts'
import type { Time } from '../time.ts'
import { PROTO_TCP } from '../wire/ipv4.ts'
import * as tcp from '../wire/tcp.ts'
import type { Mouth } from './local.ts'
import { ECN, MSS, SACK_PERMITTED, SynOptions, TIMESTAMP, timestampAt, WINDOW_SCALE } from './syn-options.ts'
import { SynCookies } from './syncookie.ts'

// The low bits of the time stamp in which a SYN/ACK keeps what a SYN said: its window scale, or all four bits set.
const STAMP_SCALE = 0xf
const STAMP_SACK = 1 << 4
const STAMP_ECN = 1 << 5
const STAMP_BITS = 0x3f

/** What a rule says of the server. */
export interface ProxyRule {
  /** Options that the server takes (syn-options.ts). */
  readonly options: number
  readonly mss: number
  readonly scale: number
}

/** Kind under which rules share a family's proxy (rule/shared.ts): its step runs for as long as one has it. */
export const SYNPROXY = 'SYNPROXY'

export abstract class Synproxy {
  protected readonly mouth: Mouth
  readonly #conntrack: Conntrack
  readonly #time: Time
  readonly #random: () => number
  readonly #sizes: readonly number[]
  #cookies: SynCookies | undefined
  #template = 0
  readonly #options = new SynOptions()

  /** @param sizes segment sizes that a cookie can say */
  constructor(conntrack: Conntrack, mouth: Mouth, time: Time, random: () => number, sizes: readonly number[]) {
    this.#conntrack = conntrack
    this.mouth = mouth
    this.#time = time
    this.#random = random
    this.#sizes = sizes
  }

  // ── the family's own ────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * A free packet with a way back to p's source, or on to its destination; undefined when there is no slot or no way. What it
   * carries begins `headerLength` behind its start.
   */
  protected abstract prepare(p: Packet, back: boolean): Packet | undefined
  protected abstract readonly headerLength: number

  /** Writes the IP header, from p's other end, before a segment of that length, and the segment's checksum; reads them. */
  protected abstract finish(segment: Packet, p: Packet, back: boolean, length: number): void

  // ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A rule needs it. Its key is made once, as in Linux: cookies outlive a change of rules. */
  use(): void {
    if (this.#cookies !== undefined) return
    this.#cookies = new SynCookies(this.#time, secretOf(this.#random), this.#sizes)
    this.#template = this.#conntrack.templates.intern({ zone: 0, policy: 0, helper: 0, events: 0, synproxy: true })
    this.#conntrack.adjusting = true
  }

  /** The target. @returns ACCEPT for a segment that is neither a SYN nor an ACK, DROP, or STOLEN: it was answered, and is gone */
  input(p: Packet, rule: ProxyRule): number {
    const options = this.#options
    if (p.transport === 0 || checksumWrong(p) || !options.read(p)) return DROP
    const flags = p.view.getUint8(p.transport + tcp.FLAGS)
    switch (flags & (tcp.SYN | tcp.ACK | tcp.FIN | tcp.RST)) {
      case tcp.SYN:
        if ((flags & ECN_SETUP) === ECN_SETUP) options.has |= ECN
        this.#answer(p, rule)
        return this.#taken(p)
      case tcp.ACK:
        return this.#acknowledged(p, p.view.getInt32(p.transport + tcp.SEQUENCE)) ? this.#taken(p) : DROP
      default:
        return ACCEPT
    }
  }

  /** The client's SYN is answered with what client and server both take. */
  #answer(p: Packet, rule: ProxyRule): void {
    const options = this.#options
    const cookie = (this.#cookies as SynCookies).make(p, options.mss)
    options.has &= rule.options
    options.mss = rule.mss
    if ((options.has & TIMESTAMP) !== 0) this.#keepInStamp(rule)
    else options.has &= ~(WINDOW_SCALE | SACK_PERMITTED | ECN)
    const answer = this.prepare(p, true)
    if (answer === undefined) return
    belongsTo(answer, p)
    const sequence = p.view.getInt32(p.transport + tcp.SEQUENCE)
    const flags = tcp.SYN | tcp.ACK | ((options.has & ECN) !== 0 ? tcp.ECE : 0)
    this.#send(answer, p, true, flags, cookie, (sequence + 1) | 0, 0)
  }

  #keepInStamp(rule: ProxyRule): void {
    const options = this.#options
    options.echo = options.stamp
    let bits = STAMP_SCALE
    if ((options.has & WINDOW_SCALE) !== 0) {
      bits = options.scale
      options.scale = rule.scale
    }
    if ((options.has & SACK_PERMITTED) !== 0) bits |= STAMP_SACK
    if ((options.has & ECN) !== 0) bits |= STAMP_ECN
    options.stamp = (this.#time.now & ~STAMP_BITS) | bits
  }

  /**
   * An ACK of the client's: with a good cookie the connection to the server is opened.
   * @param sequence the client's first byte has this number
   */
  #acknowledged(p: Packet, sequence: number): boolean {
    const options = this.#options
    const mss = this.#cookies?.check(p) ?? 0
    if (mss === 0) return false
    options.mss = mss
    options.has |= MSS
    if ((options.has & TIMESTAMP) !== 0) {
      options.scale = options.echo & STAMP_SCALE
      if (options.scale !== STAMP_SCALE) options.has |= WINDOW_SCALE
      if ((options.echo & STAMP_SACK) !== 0) options.has |= SACK_PERMITTED
      if ((options.echo & STAMP_ECN) !== 0) options.has |= ECN
    }
    const syn = this.prepare(p, false)
    if (syn === undefined) return true
    this.#conntrack.templates.assign(syn, this.#template)
    const { view, transport } = p
    const cookie = (view.getInt32(transport + tcp.ACKNOWLEDGEMENT) - 1) | 0
    const flags = tcp.SYN | ((options.has & ECN) !== 0 ? ECN_SETUP : 0)
    this.#send(syn, p, false, flags, (sequence - 1) | 0, cookie, view.getUint16(transport + tcp.WINDOW))
    return true
  }

  /**
   * The step before sequence numbers are adjusted, in INPUT and POSTROUTING: what the flow's first segments say is noted, and the
   * time stamps of the others are moved.
   * @returns ACCEPT, DROP, or STOLEN for a SYN/ACK: it was answered, and is gone
   */
  step(p: Packet): number {
    const { flows } = this.#conntrack
    const { proxied } = flows.extensions
    const { ct } = p
    if (ct === NO_FLOW || proxied === undefined || proxied[ct * PROXY_WORDS + PROXIED] === 0) return ACCEPT
    if (p.inLink === LOOPBACK || p.protocol !== PROTO_TCP) return ACCEPT
    const { view, transport } = p
    const flags = view.getUint8(transport + tcp.FLAGS)
    switch (r.state(flows.words, ct * f.WORDS + f.TRACKER)) {
      case CLOSE:
        if ((flags & tcp.RST) !== 0 && p.direction === 1) {
          // The server refuses: to the client that has to be right behind the SYN/ACK that it got.
          const sequence = view.getInt32(transport + tcp.SEQUENCE)
          streamMoves(flows, ct, 1, (proxied[ct * PROXY_WORDS + COOKIE] - sequence + 1) | 0)
          break
        }
        if ((flags & (tcp.SYN | tcp.ACK)) !== tcp.SYN || p.direction === 1) break
        streamMoves(flows, ct, 0, 0)
        proxied[ct * PROXY_WORDS + STAMP_OFFSET] = 0
        return this.#opening(p, flags, proxied)
      case SYN_SENT:
        return this.#opening(p, flags, proxied)
      case SYN_RECV:
        if ((flags & (tcp.SYN | tcp.ACK)) === (tcp.SYN | tcp.ACK)) return this.#opened(p, proxied)
    }
    moveStamp(p, proxied[ct * PROXY_WORDS + STAMP_OFFSET])
    return ACCEPT
  }

  /** The server has not answered yet. */
  #opening(p: Packet, flags: number, proxied: Int32Array): number {
    const options = this.#options
    const { view, transport } = p
    if (!options.read(p)) return DROP
    if ((flags & (tcp.SYN | tcp.ACK)) === tcp.ACK && p.direction === 0) {
      // A keep-alive repeats the byte before the first.
      const sequence = (view.getInt32(transport + tcp.SEQUENCE) + 1) | 0
      return this.#acknowledged(p, sequence) ? this.#taken(p) : DROP
    }
    const at = p.ct * PROXY_WORDS
    proxied[at + COOKIE] = view.getInt32(transport + tcp.ACKNOWLEDGEMENT)
    if ((options.has & TIMESTAMP) !== 0) proxied[at + ECHO] = options.echo
    this.#tell(p, event.SYNPROXY)
    moveStamp(p, proxied[at + STAMP_OFFSET])
    return ACCEPT
  }

  /** The server has answered: both sides get what they wait for. */
  #opened(p: Packet, proxied: Int32Array): number {
    const options = this.#options
    const { flows } = this.#conntrack
    const { view, transport, ct } = p
    if (!options.read(p)) return DROP
    const { stamp, echo, scale } = options
    const stamped = options.has & TIMESTAMP
    const sequence = view.getInt32(transport + tcp.SEQUENCE)
    const ack = view.getInt32(transport + tcp.ACKNOWLEDGEMENT)
    const window = view.getUint16(transport + tcp.WINDOW)
    const at = ct * PROXY_WORDS
    if (stamped !== 0) proxied[at + STAMP_OFFSET] = (stamp - proxied[at + ECHO]) | 0

    const answer = this.prepare(p, true)
    if (answer !== undefined) {
      options.has = stamped
      options.stamp = echo
      options.echo = stamp
      const offered = flows.sequences.of(ct)[sequencesAt(ct) + r.MAX_WINDOW] & 0xffff
      this.#send(answer, p, true, tcp.ACK, ack, (sequence + 1) | 0, offered)
    }
    streamMoves(flows, ct, 1, (proxied[at + COOKIE] - sequence) | 0)
    this.#tell(p, event.SEQADJ | event.SYNPROXY)
    const update = this.prepare(p, false)
    if (update !== undefined) {
      options.has = stamped
      options.stamp = stamp
      options.echo = echo
      belongsTo(update, p)
      this.#send(update, p, false, tcp.ACK, (sequence + 1) | 0, ack, window >>> scale)
    }
    return this.#taken(p)
  }

  #tell(p: Packet, bits: number): void {
    const { telling } = this.#conntrack
    if (telling.active) telling.note(p.ct, bits)
  }

  #taken(p: Packet): number {
    this.mouth.drop(p, REASON.synproxy)
    return STOLEN
  }

  /** Sends a segment of p's connection, against p's direction or along with it, with `#options`. */
  #send(segment: Packet, p: Packet, back: boolean, flags: number, sequence: number, ack: number, window: number): void {
    const { view } = segment
    const at = segment.start + this.headerLength
    const length = tcp.MIN_HEADER + this.#options.write(view, at + tcp.MIN_HEADER)
    view.setUint16(at + tcp.SOURCE_PORT, back ? p.dport : p.sport)
    view.setUint16(at + tcp.DESTINATION_PORT, back ? p.sport : p.dport)
    view.setInt32(at + tcp.SEQUENCE, sequence)
    view.setInt32(at + tcp.ACKNOWLEDGEMENT, ack)
    view.setUint8(at + tcp.DATA_OFFSET, (length >> 2) << 4)
    view.setUint8(at + tcp.FLAGS, flags)
    view.setUint16(at + tcp.WINDOW, window)
    view.setInt32(at + tcp.CHECKSUM, 0)
    this.finish(segment, p, back, length)
    this.mouth.output(segment)
  }
}

/** Both bits by which a SYN asks for ECN (RFC 3168, 6.1.1). */
const ECN_SETUP = tcp.ECE | tcp.CWR

/** The segment is one of the reply direction of p's flow, if p has one. */
function belongsTo(segment: Packet, p: Packet): void {
  if (p.ct === NO_FLOW) return
  segment.ct = p.ct
  segment.ctinfo = CT_ESTABLISHED
  segment.direction = 1
  segment.zone = p.zone
}

/** The server's clock is made that of the router, which the client knows; the client's echo, the server's. */
function moveStamp(p: Packet, offset: number): void {
  if (offset === 0) return
  const at = timestampAt(p)
  if (at < 0) return
  const place = p.direction === 0 ? at + 6 : at + 2
  const value = p.view.getInt32(place)
  setWord(p, place, p.direction === 0 ? (value + offset) | 0 : (value - offset) | 0)
}
