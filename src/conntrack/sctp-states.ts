// The states of an association (RFC 9260, 4) as a router between the two endpoints sees them, and what each chunk makes of
// them, as Linux 6 has it. Most chunks change nothing; what does stands here.

import * as sctp from '../wire/sctp.ts'

/** As `conntrack -L` prints them; the numbers are Linux's. */
export const SCTP_STATES = [
  'NONE',
  'CLOSED',
  'COOKIE_WAIT',
  'COOKIE_ECHOED',
  'ESTABLISHED',
  'SHUTDOWN_SENT',
  'SHUTDOWN_RECD',
  'SHUTDOWN_ACK_SENT',
  'HEARTBEAT_SENT',
] as const

export const NONE = 0
export const CLOSED = 1
export const COOKIE_WAIT = 2
export const COOKIE_ECHOED = 3
export const ESTABLISHED = 4
export const SHUTDOWN_SENT = 5
export const SHUTDOWN_RECD = 6
export const SHUTDOWN_ACK_SENT = 7
export const HEARTBEAT_SENT = 8
/** Not a state: no association is told of like this. */
export const BAD = 15

/** The state that follows on a chunk of this type. @param direction 0 original, 1 reply */
export function nextSctpState(direction: number, chunk: number, state: number): number {
  if (!isTold(chunk)) return state
  if (state === NONE || state === HEARTBEAT_SENT) return firstState(direction, chunk, state)
  switch (chunk) {
    case sctp.ABORT:
      return CLOSED
    case sctp.INIT:
      // The client begins anew while the old association is being shut down.
      return direction === 0 && (state === SHUTDOWN_SENT || state === SHUTDOWN_RECD) ? CLOSED : state
    case sctp.INIT_ACK:
      return direction === 1 && state === CLOSED ? COOKIE_WAIT : state
    case sctp.COOKIE_ECHO:
      return state === COOKIE_WAIT ? COOKIE_ECHOED : state
    case sctp.COOKIE_ACK:
      return state === COOKIE_ECHOED ? ESTABLISHED : state
    case sctp.ERROR:
      // A stale cookie.
      return direction === 1 && state === COOKIE_ECHOED ? CLOSED : state
    case sctp.SHUTDOWN:
      if (state !== ESTABLISHED) return state
      return direction === 0 ? SHUTDOWN_SENT : SHUTDOWN_RECD
    case sctp.SHUTDOWN_ACK:
      return state === SHUTDOWN_SENT || state === SHUTDOWN_RECD ? SHUTDOWN_ACK_SENT : state
    case sctp.SHUTDOWN_COMPLETE:
      return state === SHUTDOWN_ACK_SENT ? CLOSED : state
    default:
      return state
  }
}

/** Chunks that say something about the association; the others carry data, or are not known. */
function isTold(chunk: number): boolean {
  switch (chunk) {
    case sctp.INIT:
    case sctp.INIT_ACK:
    case sctp.ABORT:
    case sctp.SHUTDOWN:
    case sctp.SHUTDOWN_ACK:
    case sctp.ERROR:
    case sctp.COOKIE_ECHO:
    case sctp.COOKIE_ACK:
    case sctp.SHUTDOWN_COMPLETE:
    case sctp.HEARTBEAT:
    case sctp.HEARTBEAT_ACK:
      return true
    default:
      return false
  }
}

/** Before anything is known of the association, or only that one path of it is tried (HEARTBEAT). */
function firstState(direction: number, chunk: number, state: number): number {
  if (direction === 1) {
    if (state === NONE) return BAD
    return chunk === sctp.HEARTBEAT ? HEARTBEAT_SENT : chunk === sctp.HEARTBEAT_ACK ? ESTABLISHED : BAD
  }
  if (chunk === sctp.HEARTBEAT) return HEARTBEAT_SENT
  if (chunk === sctp.HEARTBEAT_ACK) return state === NONE ? CLOSED : HEARTBEAT_SENT
  if (chunk === sctp.INIT && state === HEARTBEAT_SENT) return COOKIE_WAIT
  return chunk === sctp.SHUTDOWN_ACK ? SHUTDOWN_ACK_SENT : CLOSED
}
