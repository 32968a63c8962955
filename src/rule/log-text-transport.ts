// What LOG lines of both families have in common: transport headers as far as they are there.

import * as tcp from '../wire/tcp.ts'

export const LOG_TCP_SEQUENCE = 1
export const LOG_TCP_OPTIONS = 2
export const LOG_IP_OPTIONS = 4

/** What stands behind an IP header. */
export interface Rest {
  readonly view: DataView
  readonly at: number
  readonly end: number
  /** A later fragment: there is no transport header. */
  readonly later: boolean
}

export function incomplete({ at, end }: Rest): string {
  // A header that would begin behind the packet lacks more than there is: the kernel counts on below 0 in 32 bits.
  return `INCOMPLETE [${(end - at) >>> 0} bytes] `
}

export function tcpText(rest: Rest, flags: number): string {
  const { view, at, end, later } = rest
  let text = 'PROTO=TCP '
  if (later) return text
  if (end - at < tcp.MIN_HEADER) return text + incomplete(rest)
  text += `SPT=${view.getUint16(at)} DPT=${view.getUint16(at + 2)} `
  if ((flags & LOG_TCP_SEQUENCE) !== 0)
    text += `SEQ=${view.getUint32(at + tcp.SEQUENCE)} ACK=${view.getUint32(at + tcp.ACKNOWLEDGEMENT)} `
  // The last of the four reserved bits is Accurate ECN's flag, which kernels since 6.18 name.
  const reserved = view.getUint8(at + tcp.DATA_OFFSET) & 0x0f
  text += `WINDOW=${view.getUint16(at + tcp.WINDOW)} RES=0x${hex2((reserved & 0x0e) << 2)} `
  if ((reserved & 1) !== 0) text += 'AE '
  const set = view.getUint8(at + tcp.FLAGS)
  for (const [bit, name] of TCP_FLAGS) if ((set & bit) !== 0) text += name
  text += `URGP=${view.getUint16(at + tcp.URGENT)} `
  const length = tcp.headerLength(view, at)
  if ((flags & LOG_TCP_OPTIONS) !== 0 && length > tcp.MIN_HEADER) {
    if (at + length > end) return `${text}OPT (TRUNCATED)`
    text += `OPT (${hexBytes(view, at + tcp.MIN_HEADER, at + length)}) `
  }
  return text
}

const TCP_FLAGS: readonly (readonly [number, string])[] = [
  [tcp.CWR, 'CWR '],
  [tcp.ECE, 'ECE '],
  [tcp.URG, 'URG '],
  [tcp.ACK, 'ACK '],
  [tcp.PSH, 'PSH '],
  [tcp.RST, 'RST '],
  [tcp.SYN, 'SYN '],
  [tcp.FIN, 'FIN '],
]

export function udpText(rest: Rest, name: string): string {
  const { view, at, end, later } = rest
  if (later) return `PROTO=${name} `
  if (end - at < 8) return `PROTO=${name} ${incomplete(rest)}`
  return `PROTO=${name} SPT=${view.getUint16(at)} DPT=${view.getUint16(at + 2)} LEN=${view.getUint16(at + 4)} `
}

export function hex2(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, '0')
}

export function hexBytes(view: DataView, from: number, to: number): string {
  let text = ''
  for (let at = from; at < to; at++) text += hex2(view.getUint8(at))
  return text
}
