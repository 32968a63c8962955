// Helper pptp (RFC 2637; nf_conntrack_pptp, nf_nat_pptp): a client (PNS) and a server (PAC) agree in a control connection on calls,
// whose frames are GRE packets with the number of the call that they go to. What is expected are both directions of a call; whichever
// comes first takes the other expectation with it. IPv4 alone.
//
// What always holds: the control connection goes from client to server; a message that does not fit what was said before changes
// nothing, and passes. Where the client is translated, the server knows its call by the translated port of the control connection.

import { ACCEPT, DROP } from '../../hook/hook.ts'
import { CT_ESTABLISHED, type Packet } from '../../packet/packet.ts'
import { replacePayload } from '../../packet/payload.ts'
import { PROTO_GRE, PROTO_TCP } from '../../wire/ipv4.ts'
import { ADDED, type Expectation } from '../expect.ts'
import { type Helper, type Helping, isTranslated, payloadOf } from './helper.ts'

/** Both directions of a call. */
const POLICY = { max: 2, timeout: 300_000 }

// The header of every message, and of control messages.
const TYPE = 2
const MAGIC = 4
const MESSAGE = 8
const BODY = 12
const CONTROL = 1
const MAGIC_COOKIE = 0x1a2b3c4d

// Messages.
const START_REQUEST = 1
const START_REPLY = 2
const STOP_REQUEST = 3
const STOP_REPLY = 4
const OUT_CALL_REQUEST = 7
const OUT_CALL_REPLY = 8
const IN_CALL_REQUEST = 9
const IN_CALL_REPLY = 10
const IN_CALL_CONNECTED = 11
const CLEAR_REQUEST = 12
const DISCONNECT_NOTIFY = 13
const WAN_ERROR_NOTIFY = 14
const SET_LINK_INFO = 15
/** Bytes of each message behind its header. */
const SIZES = [0, 144, 144, 4, 4, 4, 8, 156, 20, 208, 12, 16, 4, 136, 28, 12]

// Places in a message's body.
const CALL = 0
const PEER_CALL = 2
const RESULT = 4
const SESSION_RESULT = 2
const STOP_RESULT = 0
const SUCCESS = 1

/** What a session has come to, in this order. */
const SESSION = { none: 0, failed: 1, stopping: 2, requested: 3, confirmed: 4 } as const
type CallState = 'none' | 'out requested' | 'out' | 'in requested' | 'in replied' | 'in' | 'clearing'

interface Session {
  session: number
  call: CallState
  /** The client's number of its call, as the server knows it. */
  client: number
  /** The same as the client gave it. */
  clientOwn: number
  server: number
}

export const pptp: Helper = {
  name: 'pptp',
  families: [4],
  protocol: PROTO_TCP,
  policies: [POLICY],
  help(p: Packet, helping: Helping, number: number): number {
    if (p.ctinfo !== CT_ESTABLISHED) return ACCEPT
    const { view } = p
    const at = payloadOf(p)
    const size = p.start + p.length - at - BODY
    if (size < 0 || view.getUint16(at + TYPE) !== CONTROL || view.getUint32(at + MAGIC) !== MAGIC_COOKIE) return ACCEPT
    const message = view.getUint16(at + MESSAGE)
    if (message === 0 || message >= SIZES.length || size < SIZES[message]) return ACCEPT
    const session = sessionOf(p.ct, helping)
    const place =
      p.direction === 0
        ? fromClient(p, helping, session, message, at + BODY)
        : fromServer(p, helping, session, message, at + BODY, number)
    if (place < 0 || !isTranslated(helping.flows, p.ct)) return ACCEPT
    const call = p.direction === 0 ? session.client : session.clientOwn
    const said = replacePayload(p, at + BODY + place, 2, Uint8Array.of(call >> 8, call & 255))
    return said ? ACCEPT : DROP
  },
  came({ master, source, destination, helper }: Expectation, helping: Helping): void {
    const { flows } = helping
    const isBack = source[0] === flows.source(master, 1) && destination[0] === flows.destination(master, 1)
    const calls = expectedCalls(master, helping, sessionOf(master, helping), helper)
    withdraw(calls[isBack ? 0 : 1], helping)
  },
  over(ct: number, helping: Helping): void {
    if (helping.kept.has(ct)) forgetCall(ct, helping)
  },
}

function sessionOf(ct: number, { kept }: Helping): Session {
  let session = kept.get(ct) as Session | undefined
  if (session === undefined) {
    session = { session: SESSION.none, call: 'none', client: 0, clientOwn: 0, server: 0 }
    kept.set(ct, session)
  }
  return session
}

/** What the client says. @returns where its call's number stands in the body, -1 where nothing is to be translated */
function fromClient({ view, ct }: Packet, { flows }: Helping, session: Session, message: number, body: number): number {
  switch (message) {
    case START_REQUEST:
      if (session.session === SESSION.none) session.session = SESSION.requested
      return -1
    case STOP_REQUEST:
      session.session = SESSION.stopping
      return -1
    case OUT_CALL_REQUEST:
      if (session.session !== SESSION.confirmed) return -1
      session.call = 'out requested'
      session.client = view.getUint16(body + CALL)
      session.clientOwn = session.client
      if (isTranslated(flows, ct)) session.client = flows.dport(ct, 1)
      return CALL
    case IN_CALL_REPLY:
      if (session.call !== 'in requested' && session.call !== 'in replied') return -1
      if (session.server !== view.getUint16(body + PEER_CALL)) return -1
      if (view.getUint8(body + RESULT) === SUCCESS) {
        session.call = 'in replied'
        session.client = view.getUint16(body + CALL)
      }
      return CALL
    case CLEAR_REQUEST:
      if (session.session !== SESSION.confirmed) return -1
      session.call = 'clearing'
      return CALL
    default:
      return -1
  }
}

/** What the server says; the place is that of the client's call. */
function fromServer(
  p: Packet,
  helping: Helping,
  session: Session,
  message: number,
  body: number,
  number: number,
): number {
  const { view } = p
  switch (message) {
    case START_REPLY:
      if (session.session >= SESSION.requested)
        session.session = view.getUint8(body + SESSION_RESULT) === SUCCESS ? SESSION.confirmed : SESSION.failed
      return -1
    case STOP_REPLY:
      if (session.session <= SESSION.stopping)
        session.session = view.getUint8(body + STOP_RESULT) === SUCCESS ? SESSION.none : SESSION.failed
      return -1
    case OUT_CALL_REPLY:
      if (session.session !== SESSION.confirmed) return -1
      if (session.call !== 'out requested' && session.call !== 'out') return -1
      if (session.client !== view.getUint16(body + PEER_CALL)) return -1
      if (view.getUint8(body + RESULT) === SUCCESS) {
        session.call = 'out'
        session.server = view.getUint16(body + CALL)
        expectCall(p.ct, helping, session, number)
      } else session.call = 'none'
      return PEER_CALL
    case IN_CALL_REQUEST:
      if (session.session !== SESSION.confirmed) return -1
      session.call = 'in requested'
      session.server = view.getUint16(body + CALL)
      return -1
    case IN_CALL_CONNECTED:
      if (session.session !== SESSION.confirmed) return -1
      if (session.call !== 'in replied' && session.call !== 'in') return -1
      if (session.client !== view.getUint16(body)) return -1
      session.call = 'in'
      expectCall(p.ct, helping, session, number)
      return CALL
    case DISCONNECT_NOTIFY:
      session.call = 'none'
      forgetCall(p.ct, helping)
      return CALL
    case WAN_ERROR_NOTIFY:
    case SET_LINK_INFO:
      return CALL
    default:
      return -1
  }
}

/** The call's two directions, by the direction of the control connection. */
function expectedCalls(ct: number, helping: Helping, session: Session, number: number): Expectation[] {
  const { flows } = helping
  const translated = isTranslated(flows, ct)
  const { client, server } = session
  const own = translated ? session.clientOwn : client
  return [0, 1].map((direction) => ({
    helper: number,
    class: 0,
    master: ct,
    protocol: PROTO_GRE,
    source: flows.sourceWords(ct, direction),
    sourceMask: [-1],
    destination: flows.destinationWords(ct, direction),
    sport: direction === 0 ? own : server,
    sportMask: 0xffff,
    dport: direction === 0 ? server : client,
    follow: translated ? { direction, port: direction === 0 ? client : own, isSource: direction === 0 } : undefined,
  }))
}

function expectCall(ct: number, helping: Helping, session: Session, number: number): void {
  const { expectations, greKeys } = helping
  const [out, back] = expectedCalls(ct, helping, session, number)
  if (expectations.add(out, POLICY) !== ADDED) return
  if (expectations.add(back, POLICY) !== ADDED) {
    withdraw(out, helping)
    return
  }
  greKeys.add(ct, out)
  greKeys.add(ct, back)
}

function withdraw({ source, destination, sport, dport }: Expectation, { expectations }: Helping): void {
  expectations.find(PROTO_GRE, source, destination, sport, dport)?.remove()
}

/** The call is over: what of it has come ends, and is expected no more. */
function forgetCall(ct: number, helping: Helping): void {
  const { flows, expectations, endFlow } = helping
  const { client, server } = sessionOf(ct, helping)
  helping.greKeys.remove(ct)
  for (const direction of [0, 1]) {
    const [sport, dport] = direction === 0 ? [client, server] : [server, client]
    const source = flows.sourceWords(ct, direction)
    const destination = flows.destinationWords(ct, direction)
    if (!endFlow(PROTO_GRE, source, destination, (sport << 16) | dport, ct))
      expectations.find(PROTO_GRE, source, destination, sport, dport)?.remove()
  }
}
