// TCP as a router between two hosts sees it (nf_conntrack_proto_tcp): the states of a connection and how a segment, by
// its flags and direction, moves it from one to the next. The router may see a segment that never arrives, so it cannot
// run TCP's own state machine (RFC 9293, figure 5): ESTABLISHED here means that the third segment of the opening was
// seen, CLOSE that a RST was, and a segment may also be let pass without being believed.

export const STATES = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2', // both sides have sent a SYN: simultaneous open
] as const

type State = (typeof STATES)[number]

export const SYN_SENT = 1
export const SYN_RECV = 2
export const ESTABLISHED = 3
export const FIN_WAIT = 4
export const CLOSE_WAIT = 5
export const LAST_ACK = 6
export const TIME_WAIT = 7
export const CLOSE = 8
export const SYN_SENT2 = 9

/** Not a state: the segment is let pass, and changes nothing but what is noted of it. */
export const PASS = 10
/** Not a state: the segment is INVALID. */
export const BAD = 11

// Kinds of segment: the first of RST, SYN, FIN and ACK that is set; 0 is for none of them, and for "no segment yet".
export const KIND_NONE = 0
export const KIND_SYN = 1
export const KIND_SYN_ACK = 2
export const KIND_FIN = 3
export const KIND_ACK = 4
export const KIND_RST = 5

const FIN_BIT = 0x01
const SYN_BIT = 0x02
const RST_BIT = 0x04
const ACK_BIT = 0x10
const URG_BIT = 0x20

/** Kind by the low six flags (FIN, SYN, RST, PSH, ACK, URG), with the top bit set for combinations that are INVALID. */
const KINDS = Uint8Array.from({ length: 64 }, (_, flags) => (sane(flags) ? 0 : 0x80) | kind(flags))

function kind(flags: number): number {
  if (flags & RST_BIT) return KIND_RST
  if (flags & SYN_BIT) return flags & ACK_BIT ? KIND_SYN_ACK : KIND_SYN
  if (flags & FIN_BIT) return KIND_FIN
  return flags & ACK_BIT ? KIND_ACK : KIND_NONE
}

function sane(flags: number): boolean {
  const base = flags & (FIN_BIT | SYN_BIT | RST_BIT | ACK_BIT)
  const plain = base === SYN_BIT || base === (FIN_BIT | ACK_BIT) || base === ACK_BIT
  if (flags & URG_BIT) return plain
  return plain || base === (SYN_BIT | ACK_BIT) || base === RST_BIT || base === (RST_BIT | ACK_BIT)
}

/** The kind of a segment with these flags, or -1 when no TCP sends such a combination. */
export function kindOf(flags: number): number {
  const found = KINDS[flags & 0x3f]
  return found < 0x80 ? found : -1
}

type Next = State | 'pass' | 'bad'
type Row = readonly [syn: Next, synAck: Next, fin: Next, ack: Next, rst: Next]

// biome-ignore format: a table
const FROM_ORIGINAL: Readonly<Record<State, Row>> = {
  //             SYN          SYN+ACK      FIN          ACK            RST
  NONE:        ['SYN_SENT',  'bad',       'bad',       'ESTABLISHED', 'bad'],   // an ACK: picked up in mid-stream
  SYN_SENT:    ['SYN_SENT',  'bad',       'bad',       'bad',         'CLOSE'],
  SYN_RECV:    ['pass',      'SYN_RECV',  'FIN_WAIT',  'ESTABLISHED', 'CLOSE'], // SYN+ACK: simultaneous open
  ESTABLISHED: ['pass',      'bad',       'FIN_WAIT',  'ESTABLISHED', 'CLOSE'],
  FIN_WAIT:    ['pass',      'bad',       'LAST_ACK',  'CLOSE_WAIT',  'CLOSE'],
  CLOSE_WAIT:  ['pass',      'bad',       'LAST_ACK',  'CLOSE_WAIT',  'CLOSE'],
  LAST_ACK:    ['pass',      'bad',       'LAST_ACK',  'TIME_WAIT',   'CLOSE'],
  TIME_WAIT:   ['SYN_SENT',  'bad',       'TIME_WAIT', 'TIME_WAIT',   'CLOSE'], // SYN: the ports are used again
  CLOSE:       ['SYN_SENT',  'bad',       'CLOSE',     'CLOSE',       'CLOSE'],
  SYN_SENT2:   ['SYN_SENT2', 'SYN_RECV',  'bad',       'bad',         'CLOSE'],
}

// biome-ignore format: a table
const FROM_REPLY: Readonly<Record<State, Row>> = {
  //             SYN          SYN+ACK      FIN          ACK            RST
  NONE:        ['bad',       'bad',       'bad',       'bad',         'bad'],
  SYN_SENT:    ['SYN_SENT2', 'SYN_RECV',  'bad',       'pass',        'CLOSE'], // an ACK: challenges the SYN
  SYN_RECV:    ['bad',       'pass',      'FIN_WAIT',  'SYN_RECV',    'CLOSE'],
  ESTABLISHED: ['bad',       'pass',      'FIN_WAIT',  'ESTABLISHED', 'CLOSE'],
  FIN_WAIT:    ['bad',       'pass',      'LAST_ACK',  'CLOSE_WAIT',  'CLOSE'],
  CLOSE_WAIT:  ['bad',       'pass',      'LAST_ACK',  'CLOSE_WAIT',  'CLOSE'],
  LAST_ACK:    ['bad',       'pass',      'LAST_ACK',  'TIME_WAIT',   'CLOSE'],
  TIME_WAIT:   ['SYN_SENT',  'pass',      'TIME_WAIT', 'TIME_WAIT',   'CLOSE'],
  CLOSE:       ['bad',       'pass',      'CLOSE',     'CLOSE',       'CLOSE'],
  SYN_SENT2:   ['SYN_SENT2', 'SYN_RECV',  'bad',       'pass',        'CLOSE'],
}

const NUMBERS: readonly Next[] = [...STATES, 'pass', 'bad']
const TRANSITIONS = new Uint8Array(256).fill(BAD)

for (const [direction, rows] of [FROM_ORIGINAL, FROM_REPLY].entries())
  for (const [state, name] of STATES.entries())
    for (const [column, next] of rows[name].entries())
      TRANSITIONS[(direction << 7) | ((column + 1) << 4) | state] = NUMBERS.indexOf(next)

/** The state, PASS or BAD that follows on a segment of this kind in this direction. */
export function nextState(direction: number, kind: number, state: number): number {
  return TRANSITIONS[(direction << 7) | (kind << 4) | state]
}
