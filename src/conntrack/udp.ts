// UDP and UDP-Lite. Mirrors nf_conntrack_proto_udp: 30 s until there is a reply; a flow that is still in use more than
// two seconds after its first packet, and was answered, is a stream: 120 s and ASSURED. UDP-Lite (RFC 3828) needs no two
// seconds for that, and no packet of it may be without checksum.
//
// Tracker words: [0] the time after which the flow counts as a stream.

import type { Packet } from '../packet/packet.ts'
import * as ip from '../wire/ipv4.ts'
import * as udp from '../wire/udp.ts'
import { checksumWrong, partialChecksumWrong } from './checksum.ts'
import * as f from './record.ts'
import { type FlowTimeouts, REPLIED, UNREPLIED } from './timeouts.ts'
import type { Tracker, Tracking } from './tracker.ts'
import { INVALID, TRACKED } from './tracker.ts'

const STREAM_AFTER = f.TRACKER
/** A question and its answer are no stream: they are over within this time. */
const PROBE = 2000

export class UdpTracker implements Tracker {
  readonly name: string
  readonly mayClash = true
  readonly #tracking: Tracking
  readonly #words: Int32Array
  readonly #lite: boolean
  readonly #verify: boolean
  readonly #timeouts: FlowTimeouts

  /** @param protocol UDP or UDP-Lite */
  constructor(tracking: Tracking, protocol: number = ip.PROTO_UDP) {
    this.#lite = protocol === ip.PROTO_UDPLITE
    this.name = this.#lite ? 'udplite' : 'udp'
    this.#tracking = tracking
    this.#words = tracking.flows.words
    this.#verify = tracking.sysctl['net.netfilter.nf_conntrack_checksum'] !== 0
    this.#timeouts = tracking.timeouts.for(this.#lite ? 'udplite' : 'udp')
  }

  track(p: Packet, ct: number): number {
    if (this.#lite ? this.#liteWrong(p) : this.#wrong(p)) return INVALID
    const words = this.#words
    const { now } = this.#tracking.time
    const record = ct * f.WORDS
    const status = words[record + f.STATUS]
    if ((status & f.CONFIRMED) === 0) words[record + STREAM_AFTER] = (now + (this.#lite ? -1 : PROBE)) | 0
    if ((status & f.SEEN_REPLY) !== 0 && ((now - words[record + STREAM_AFTER]) | 0) > 0) {
      this.#tracking.refresh(p, ct, this.#timeouts.of(ct)[REPLIED])
      if ((status & f.NAT_CLASH) === 0) words[record + f.STATUS] |= f.ASSURED
    } else {
      this.#tracking.refresh(p, ct, this.#timeouts.of(ct)[UNREPLIED])
    }
    return TRACKED
  }

  mayDropEarly(): boolean {
    return false
  }

  #wrong(p: Packet): boolean {
    if (p.transport === 0) return true
    const length = p.view.getUint16(p.transport + udp.LENGTH)
    if (length > p.length - p.headerLength || length < udp.HEADER) return true
    if (p.view.getUint16(p.transport + udp.CHECKSUM) === 0) return false
    return this.#verify && checksumWrong(p)
  }

  #liteWrong(p: Packet): boolean {
    if (p.transport === 0) return true
    const whole = p.length - p.headerLength
    // Where UDP has its length, UDP-Lite says how much the checksum covers, 0 for all.
    const covered = p.view.getUint16(p.transport + udp.LENGTH) || whole
    if (covered < udp.HEADER || covered > whole) return true
    if (p.view.getUint16(p.transport + udp.CHECKSUM) === 0) return true
    // Linux sums the pseudo-header with UDP's number, so it calls what UDP-Lite's senders do right INVALID; so do we.
    return this.#verify && partialChecksumWrong(p, ip.PROTO_UDP, covered)
  }
}
