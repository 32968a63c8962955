// Helper irc (the DCC of CTCP; nf_conntrack_irc, nf_nat_irc): a client tells another one, in a message by way of the server, where it
// waits for a file or a chat. What is expected comes from anywhere to that address and port. IPv4 alone.
//
// What always holds: only what a client sends is read, and of a segment only what begins with PRIVMSG; an address that is neither
// the client's nor the one that NAT gave it announces nothing.

import { ACCEPT, DROP } from '../../hook/hook.ts'
import { CT_ESTABLISHED, type Packet } from '../../packet/packet.ts'
import { PROTO_TCP } from '../../wire/ipv4.ts'
import { ADDED, type Expectation } from '../expect.ts'
import { expectNear, type Helper, type Helping, isTranslated, payloadOf, rewriteText, textOf } from './helper.ts'

const POLICY = { max: 8, timeout: 300_000 }
/** Bytes that a whole message has behind each of these places at least. */
const BEHIND_BLANKS = 10
const BEHIND_RECEIVER = 26
const BEHIND_FILE = 12
const PRIVMSG = 'PRIVMSG '
const BEGIN = ' :'
const DCC = '\x01DCC '
const KINDS = ['SEND ', 'CHAT ', 'MOVE ', 'TSEND ', 'SCHAT ']

interface Offer {
  /** Where `ADDRESS PORT` stands, and how long that is. */
  readonly at: number
  readonly length: number
  readonly address: number
  readonly port: number
}

/** Where the offers of a message may stand: behind the names of their kinds. */
function* offersOf(text: string): Generator<number> {
  let at = 0
  while (at < text.length - BEHIND_BLANKS && ' \r\n'.includes(text[at])) at++
  if (at < text.length - BEHIND_BLANKS) {
    if (text.slice(at, at + PRIVMSG.length).toUpperCase() !== PRIVMSG) return
    at += PRIVMSG.length
  }
  for (;;) {
    const begin = text.indexOf(BEGIN, at)
    if (begin < 0 || begin >= text.length - BEHIND_RECEIVER) return
    at = begin + BEGIN.length
    if (!text.startsWith(DCC, at)) return
    at += DCC.length
    for (const kind of KINDS) {
      if (!text.startsWith(kind, at)) continue
      at += kind.length
      yield at
    }
  }
}

/** `FILE ADDRESS PORT` with a newline somewhere behind; numbers without digits are 0. */
function readOffer(text: string, from: number): Offer | undefined {
  const blank = text.indexOf(' ', from)
  if (blank < 0 || (blank > from && blank > text.length - BEHIND_FILE)) return undefined
  const at = blank + 1
  if (!text.includes('\n', at)) return undefined
  const [whole, address, port] = /^(\d*) *(\d*)/.exec(text.slice(at)) as unknown as [string, string, string]
  return { at, length: whole.length, address: low(address, 32) | 0, port: low(port, 16) }
}

/** The lowest bits of a number of any length, as C keeps them of its longest. */
function low(digits: string, bits: number): number {
  return digits.length > 300 ? 0 : Number(BigInt.asUintN(bits, BigInt(digits || '0')))
}

export const irc: Helper = {
  name: 'irc',
  families: [4],
  protocol: PROTO_TCP,
  policies: [POLICY],
  help(p: Packet, helping: Helping, number: number): number {
    if (p.direction === 1 || p.ctinfo !== CT_ESTABLISHED) return ACCEPT
    const at = payloadOf(p)
    const text = textOf(p, at)
    const { flows } = helping
    const outside = flows.destination(p.ct, 1)
    for (const from of offersOf(text)) {
      const offer = readOffer(text, from)
      if (offer === undefined || (offer.address !== flows.source(p.ct, 0) && offer.address !== outside)) continue
      return announce(p, helping, number, at, offer)
    }
    return ACCEPT
  },
}

/** @param at where the payload begins */
function announce(p: Packet, helping: Helping, number: number, at: number, offer: Offer): number {
  const { flows, expectations } = helping
  const { ct } = p
  const outside = flows.destination(ct, 1)
  const translated = isTranslated(flows, ct)
  const expected = (port: number): Expectation => ({
    helper: number,
    class: 0,
    master: ct,
    protocol: PROTO_TCP,
    source: [0],
    sourceMask: [0],
    destination: [outside],
    sport: 0,
    sportMask: 0,
    dport: port,
    follow: translated ? { direction: 1, port: offer.port } : undefined,
  })
  if (!translated) return expectations.add(expected(offer.port), POLICY) === ADDED ? ACCEPT : DROP
  const port = expectNear(helping, offer.port, POLICY, expected)
  if (port === 0) return DROP
  if (rewriteText(p, helping, at + offer.at, offer.length, `${outside >>> 0} ${port}`)) return ACCEPT
  expectations.find(PROTO_TCP, [0], [outside], 0, port)?.remove()
  return DROP
}
