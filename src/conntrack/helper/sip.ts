// Helper sip (RFC 3261, RFC 8866; nf_conntrack_sip, nf_nat_sip), over UDP and TCP: a registration expects calls to the place that it names, and
// a session description media to the places that it names. Where NAT translates the flow, addresses that are its own are
// translated in the message too, and the content's length follows.
//
// What always holds: what names somebody else's address announces nothing; a registration is expected from the registrar alone and
// media from the other end alone (sip_direct_signalling, sip_direct_media); a message whose CSeq cannot be read is dropped. Of a
// stream whole messages are read, one behind the other, from the beginning of a segment on.

import { ACCEPT, DROP } from '../../hook/hook.ts'
import { CT_ESTABLISHED, type Packet } from '../../packet/packet.ts'
import { PROTO_TCP, PROTO_UDP } from '../../wire/ipv4.ts'
import * as tcp from '../../wire/tcp.ts'
import { ADDED, ALREADY, CLASHES, type Expectation } from '../expect.ts'
import * as f from '../record.ts'
import { streamGrew } from '../seqadj.ts'
import { type Helper, type Helping, isEqual, isTranslated, payloadOf, textOf } from './helper.ts'
import { Message } from './sip-message.ts'
import * as sip from './sip-text.ts'

// Classes of expectations: signalling, and kinds of media.
const SIGNALLING = 0
const KINDS: Readonly<Record<string, number | undefined>> = { audio: 1, video: 2, image: 3 }
const SIGNAL_POLICY = { max: 1, timeout: 180_000 }
/** Media's and its control's, of both ends. */
const MEDIA_POLICY = { max: 4, timeout: 180_000 }
const MEDIA_MAX = 3
/** Milliseconds that a flow of signalling lasts. */
const LASTS = 3_600_000
const LEAST = 'SIP/2.0 200'.length
const LEAST_PORT = 1024

interface Kept {
  /** CSeq of the last INVITE and REGISTER. */
  invite: number
  register: number
  /** A port that answers go to, other than the one that requests come from; 0 for none. */
  forced: number
}

const BOTH = {
  name: 'sip',
  families: [4, 6],
  policies: [SIGNAL_POLICY, MEDIA_POLICY, MEDIA_POLICY, MEDIA_POLICY],
} as const

export const sipUdp: Helper = {
  ...BOTH,
  protocol: PROTO_UDP,
  help(p: Packet, helping: Helping, number: number): number {
    const at = payloadOf(p)
    if (at >= p.start + p.length) return ACCEPT
    helping.refresh(p.ct, LASTS)
    const length = p.start + p.length - at
    return length < LEAST ? ACCEPT : new Reading(p, helping, number, new Message(p, helping, at, length)).read()
  },
}

export const sipTcp: Helper = {
  ...BOTH,
  protocol: PROTO_TCP,
  help(p: Packet, helping: Helping, number: number): number {
    if (p.ctinfo !== CT_ESTABLISHED) return ACCEPT
    let at = payloadOf(p)
    const before = p.length
    if (at >= p.start + p.length) return ACCEPT
    helping.refresh(p.ct, LASTS)
    if (p.start + p.length - at < LEAST) return ACCEPT
    const sequence = p.view.getInt32(p.transport + tcp.SEQUENCE)
    for (;;) {
      const length = sip.messageLength(textOf(p, at))
      if (length < 0) break
      if (at + length > p.start + p.length) return ACCEPT
      const message = new Message(p, helping, at, length)
      if (new Reading(p, helping, number, message).read() !== ACCEPT) return DROP
      at += message.text.length
    }
    streamGrew(helping.flows, p.ct, p.direction, sequence, p.length - before)
    return ACCEPT
  },
}

/** One message. */
class Reading {
  readonly #p: Packet
  readonly #helping: Helping
  readonly #number: number
  readonly #kept: Kept
  readonly #message: Message
  readonly #words: number
  readonly #translated: boolean

  constructor(p: Packet, helping: Helping, number: number, message: Message) {
    const { kept, flows } = helping
    this.#p = p
    this.#helping = helping
    this.#number = number
    this.#kept = (kept.get(p.ct) as Kept | undefined) ?? { invite: 0, register: 0, forced: 0 }
    kept.set(p.ct, this.#kept)
    this.#message = message
    this.#words = flows.family === 4 ? 1 : 4
    this.#translated = isTranslated(flows, p.ct)
  }

  get #text(): string {
    return this.#message.text
  }

  read(): number {
    const isResponse = /^SIP\/2\.0 /i.test(this.#text)
    const verdict = isResponse ? this.#response() : this.#request()
    if (verdict !== ACCEPT || !this.#translated) return verdict
    return this.#message.translate(isResponse, this.#kept.forced) ? ACCEPT : DROP
  }

  #request(): number {
    const { source, sport } = this.#ends(this.#p.direction)
    const via = sip.viaHost(this.#text, 'UDP', this.#words)
    const isUdp = this.#p.protocol === PROTO_UDP
    if (isUdp && via !== undefined && via !== 'broken' && via.port !== sport && isEqual(via.address, source))
      this.#kept.forced = via.port
    const [, method = ''] = /^(INVITE|UPDATE|ACK|PRACK|BYE|REGISTER) [a-z]/i.exec(this.#text) ?? []
    if (method === '') return ACCEPT
    const sequence = sip.numberIn(this.#text, 'CSeq')
    if (sequence === undefined || sequence === 'broken') return DROP
    switch (method.toUpperCase()) {
      case 'INVITE': {
        this.#flush(true)
        const verdict = this.#description()
        if (verdict === ACCEPT) this.#kept.invite = sequence.value
        return verdict
      }
      case 'BYE':
        this.#flush(true)
        return ACCEPT
      case 'REGISTER':
        return this.#register(sequence.value)
      default:
        return this.#description()
    }
  }

  #response(): number {
    const code = Number(/^\d*/.exec(this.#text.slice(8, 20))?.[0] ?? 0)
    if (code === 0) return DROP
    const sequence = sip.numberIn(this.#text, 'CSeq')
    if (sequence === undefined || sequence === 'broken') return DROP
    const behind = this.#text.slice(sequence.at + sequence.length + 1)
    const [method = ''] = /^(INVITE|UPDATE|PRACK|REGISTER)/i.exec(behind) ?? []
    if (method === '') return ACCEPT
    if (method.toUpperCase() === 'REGISTER') return this.#registered(sequence.value, code)
    if (code >= 100 && code <= 299) return this.#description()
    if (this.#kept.invite === sequence.value) this.#flush(true)
    return ACCEPT
  }

  #ends(direction: number) {
    const { flows } = this.#helping
    const { ct } = this.#p
    return {
      source: flows.sourceWords(ct, direction),
      destination: flows.destinationWords(ct, direction),
      sport: flows.sport(ct, direction),
      dport: flows.dport(ct, direction),
    }
  }

  /** What was expected of media, or of signalling, is expected no more. */
  #flush(media: boolean): void {
    this.#helping.expectations.removeOf(this.#p.ct, (each) => (each.class !== SIGNALLING) === media)
  }

  // ── registrations ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** The Expires header, for contacts that do not say it themselves; 0 where there is none. */
  #expires(): number {
    const found = sip.numberIn(this.#text, 'Expires')
    return found === undefined || found === 'broken' ? 0 : found.value
  }

  /** Seconds for which the contact is to last. */
  #contactExpires(contact: sip.Span, otherwise: number): number {
    const at = sip.parameterAt(this.#text, contact.at + contact.length, 'expires=')
    return at < 0 ? otherwise : sip.numberAt(this.#text, at).value
  }

  /** Whether the contact is reached in the way that the message came. */
  #isSameTransport(contact: sip.Span): boolean {
    const at = sip.parameterAt(this.#text, contact.at + contact.length, 'transport=')
    const own = this.#p.protocol === PROTO_UDP ? 'udp' : 'tcp'
    return at < 0 || this.#text.slice(at, at + own.length).toLowerCase() === own
  }

  #register(sequence: number): number {
    const { ct, direction } = this.#p
    const { flows, expectations } = this.#helping
    // What was announced itself announces no more.
    if ((flows.status(ct) & f.EXPECTED) !== 0) return ACCEPT
    const [contact] = sip.urisIn(this.#text, 'Contact', this.#words)
    if (contact === 'broken') return DROP
    const own = this.#ends(direction)
    if (contact === undefined || !isEqual(contact.address, own.source) || !this.#isSameTransport(contact)) return ACCEPT
    if (this.#contactExpires(contact, this.#expires()) !== 0) {
      const expected = this.#expected(SIGNALLING, own.source, contact.port, contact.address, contact.port)
      const verdict = this.#translated
        ? this.#registerTranslated(contact, expected)
        : expectations.add(expected, SIGNAL_POLICY) === ADDED
          ? ACCEPT
          : DROP
      if (verdict !== ACCEPT) return DROP
    }
    this.#kept.register = sequence
    return ACCEPT
  }

  #registerTranslated(contact: sip.Host, expected: Expectation): number {
    const { direction } = this.#p
    const own = this.#ends(direction)
    const back = this.#ends(direction ^ 1)
    const address = isEqual(own.source, back.destination) ? contact.address : back.destination
    const from = contact.port === (this.#kept.forced || own.sport) ? back.dport : contact.port
    for (let port = from; port <= 0xffff; port++) {
      const said = this.#helping.expectations.add(
        { ...expected, destination: address, dport: port },
        SIGNAL_POLICY,
        true,
      )
      if (said === CLASHES) continue
      if (said !== ADDED) return DROP
      if (isEqual(address, contact.address) && port === contact.port) return ACCEPT
      return this.#message.writeHost(contact, address, port) ? ACCEPT : DROP
    }
    return DROP
  }

  #registered(sequence: number, code: number): number {
    if (this.#kept.register !== sequence || code < 200) return ACCEPT
    if (code < 300) {
      const otherwise = this.#expires()
      const { destination } = this.#ends(this.#p.direction)
      for (const contact of sip.urisIn(this.#text, 'Contact', this.#words)) {
        if (contact === 'broken') return DROP
        if (!isEqual(contact.address, destination) || !this.#isSameTransport(contact)) continue
        const seconds = this.#contactExpires(contact, otherwise)
        if (seconds === 0) break
        const activated = this.#helping.expectations.activate(
          this.#p.ct,
          (each) =>
            each.class === SIGNALLING && each.dport === contact.port && isEqual(each.destination, contact.address),
          seconds * 1000,
        )
        if (activated) return ACCEPT
      }
    }
    this.#flush(false)
    return ACCEPT
  }

  // ── session descriptions ────────────────────────────────────────────────────────────────────────────────────────────

  #description(): number {
    const from = sip.descriptionAt(this.#text)
    if (from < 0) return ACCEPT
    const session = sip.connectionAt(this.#text, from, 'c', this.#words)
    let address: readonly number[] | undefined
    let at = from
    for (let count = 0; count < MEDIA_MAX; ) {
      const media = sip.mediaFrom(this.#text, at)
      if (media === undefined) break
      at = media.at
      const kind = KINDS[media.kind]
      if (kind === undefined) continue
      const { value: port } = sip.numberAt(this.#text, at)
      if (port === 0) continue
      if (port < LEAST_PORT || port > 0xffff) return DROP
      const own = sip.connectionAt(this.#text, at, 'c', this.#words)
      const named = own?.address ?? session?.address
      if (named === undefined) return DROP
      address = this.#media(named, port, kind, at)
      if (address === undefined) return DROP
      if (own !== undefined && this.#translated && !this.#message.writeConnection(at, 'c', address)) return DROP
      count++
    }
    if (!this.#translated || address === undefined) return ACCEPT
    return this.#message.writeConnection(from, 'o', address) && this.#message.writeConnection(from, 'c', address)
      ? ACCEPT
      : DROP
  }

  /** Expects media and its control. @returns the address that the other end is to know; undefined where that cannot be */
  #media(named: readonly number[], given: number, kind: number, at: number): readonly number[] | undefined {
    const { direction } = this.#p
    const { expectations } = this.#helping
    const own = this.#ends(direction)
    if (!isEqual(named, own.source)) return named
    const back = this.#ends(direction ^ 1)
    const base = given & ~1
    const pair = (address: readonly number[], port: number) => [
      this.#expected(kind, address, port, named, base),
      this.#expected(kind, address, port + 1, named, base + 1),
    ]
    if (!this.#translated) {
      const said = pair(named, base).map((each) => expectations.add(each, MEDIA_POLICY, true))
      return said.every((each) => each === ADDED || each === ALREADY) ? named : undefined
    }
    const address = isEqual(own.source, back.destination) ? named : back.destination
    for (let port = base; port !== 0 && port < 0xffff; port += 2) {
      const [media, control] = pair(address, port)
      const said = expectations.add(media, MEDIA_POLICY, true)
      if (said === CLASHES) continue
      if (said !== ADDED) return undefined
      const second = expectations.add(control, MEDIA_POLICY, true)
      if (second === ADDED) return port === given || this.#message.writePort(at, port) ? address : undefined
      expectations.find(PROTO_UDP, media.source, address, 0, port)?.remove()
      if (second !== CLASHES) return undefined
    }
    return undefined
  }

  /** A flow from the other end to this place, which is another one where the flow is translated. */
  #expected(
    kind: number,
    destination: readonly number[],
    port: number,
    own: readonly number[],
    ownPort: number,
  ): Expectation {
    const { ct, direction } = this.#p
    const { source } = this.#ends(direction ^ 1)
    return {
      helper: this.#number,
      class: kind,
      master: ct,
      protocol: kind === SIGNALLING ? this.#p.protocol : PROTO_UDP,
      source,
      sourceMask: source.map(() => -1),
      destination,
      sport: 0,
      sportMask: 0,
      dport: port,
      ...(kind === SIGNALLING ? { attach: this.#number, isPermanent: true, isInactive: true } : undefined),
      follow: this.#translated ? { direction: direction ^ 1, port: ownPort, address: own } : undefined,
    }
  }
}
