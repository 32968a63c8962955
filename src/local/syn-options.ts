// The options of a handshake that target SYNPROXY reads, keeps and writes (RFC 9293 3.2, RFC 7323, RFC 2018). `has` are those that
// are there; the values of the others mean nothing.

import type { Packet } from '../packet/packet.ts'
import * as tcp from '../wire/tcp.ts'
import { firstOption, nextOption } from '../wire/tcp-options.ts'

export const MSS = 1
export const WINDOW_SCALE = 2
export const SACK_PERMITTED = 4
export const TIMESTAMP = 8
/** No option, but agreed on in the handshake like one, by flags (RFC 3168, 6.1.1). */
export const ECN = 16

const MAX_SCALE = 14
const TIMESTAMP_LENGTH = 10

export class SynOptions {
  has = 0
  mss = 0
  scale = 0
  /** Time stamp and echo, int32. */
  stamp = 0
  echo = 0

  /** Reads a segment's options, as far as they can be read; false when its header is not all there. */
  read(p: Packet): boolean {
    const { view, transport } = p
    const end = transport + tcp.headerLength(view, transport)
    this.has = 0
    this.mss = 0
    this.scale = 0
    if (end < transport + tcp.MIN_HEADER || end > p.start + p.length) return false
    for (let at = firstOption(view, transport, end); at >= 0; at = nextOption(view, at, end))
      this.#take(view, at, view.getUint8(at), view.getUint8(at + 1))
    return true
  }

  #take(view: DataView, at: number, kind: number, length: number): void {
    if (kind === tcp.OPTION_MSS && length === 4) {
      this.has |= MSS
      this.mss = view.getUint16(at + 2)
    } else if (kind === tcp.OPTION_WINDOW_SCALE && length === 3) {
      this.has |= WINDOW_SCALE
      this.scale = Math.min(view.getUint8(at + 2), MAX_SCALE)
    } else if (kind === tcp.OPTION_SACK_PERMITTED && length === 2) this.has |= SACK_PERMITTED
    else if (kind === tcp.OPTION_TIMESTAMP && length === TIMESTAMP_LENGTH) {
      this.has |= TIMESTAMP
      this.stamp = view.getInt32(at + 2)
      this.echo = view.getInt32(at + 6)
    }
  }

  /** Writes the options that are there, each filled up to whole words, in Linux's order. @returns their length in bytes */
  write(view: DataView, start: number): number {
    const { has } = this
    let at = start
    const put = (word: number) => {
      view.setInt32(at, word)
      at += 4
    }
    if ((has & MSS) !== 0) put((tcp.OPTION_MSS << 24) | (4 << 16) | this.mss)
    const sack = (has & SACK_PERMITTED) !== 0 ? (tcp.OPTION_SACK_PERMITTED << 8) | 2 : PADDING
    if ((has & TIMESTAMP) !== 0) {
      put((sack << 16) | (tcp.OPTION_TIMESTAMP << 8) | TIMESTAMP_LENGTH)
      put(this.stamp)
      put(this.echo)
    } else if ((has & SACK_PERMITTED) !== 0) put((PADDING << 16) | sack)
    if ((has & WINDOW_SCALE) !== 0)
      put((tcp.OPTION_NOP << 24) | (tcp.OPTION_WINDOW_SCALE << 16) | (3 << 8) | this.scale)
    return at - start
  }
}

const PADDING = (tcp.OPTION_NOP << 8) | tcp.OPTION_NOP

/** Where a segment's time stamp option is, as far as the options can be read; -1 without one. */
export function timestampAt(p: Packet): number {
  const { view, transport } = p
  const end = transport + tcp.headerLength(view, transport)
  for (let at = firstOption(view, transport, end); at >= 0; at = nextOption(view, at, end))
    if (view.getUint8(at) === tcp.OPTION_TIMESTAMP && view.getUint8(at + 1) === TIMESTAMP_LENGTH) return at
  return -1
}
