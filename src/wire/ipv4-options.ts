// IPv4 options (RFC 791, 3.1) as a router has to look at them before it acts: are they well formed, and does one ask for
// source routing, which is off (RFC 7126, 4.3). A record route option with room left gets the router's address; router
// alert and timestamps pass as they are. What stands behind the end of the options is overwritten with zeros, as Linux does it.

import * as ip from './ipv4.ts'

export const OPTIONS_FINE = -1
export const SOURCE_ROUTED = -2

const END = 0
const NOP = 1
const RECORD_ROUTE = 7
const TIMESTAMP = 68
const LOOSE_SOURCE_ROUTE = 131
const STRICT_SOURCE_ROUTE = 137

/**
 * Judges the options of a header of `headerLength` bytes at `o`.
 * @returns OPTIONS_FINE, SOURCE_ROUTED, or the offset within the header of the byte that is wrong
 */
export function checkOptions(view: DataView, o: number, headerLength: number): number {
  let at = 20
  while (at < headerLength) {
    const kind = view.getUint8(o + at)
    if (kind === END) {
      clearBehind(view, o, at, headerLength)
      return OPTIONS_FINE
    }
    if (kind === NOP) {
      at++
      continue
    }
    if (at + 1 >= headerLength) return at
    const length = view.getUint8(o + at + 1)
    if (length < 2 || at + length > headerLength) return at
    switch (kind) {
      case LOOSE_SOURCE_ROUTE:
      case STRICT_SOURCE_ROUTE:
        if (length < 3) return at + 1
        if (view.getUint8(o + at + 2) < 4) return at + 2
        return SOURCE_ROUTED
      case RECORD_ROUTE:
        if (length < 3) return at + 1
        if (view.getUint8(o + at + 2) < 4) return at + 2
        break
      case TIMESTAMP:
        if (length < 4) return at + 1
        if (view.getUint8(o + at + 2) < 5) return at + 2
        break
    }
    at += length
  }
  return OPTIONS_FINE
}

function clearBehind(view: DataView, o: number, at: number, headerLength: number): void {
  let cleared = false
  for (let i = at + 1; i < headerLength; i++) {
    if (view.getUint8(o + i) === 0) continue
    view.setUint8(o + i, 0)
    cleared = true
  }
  if (cleared) ip.writeChecksum(view, o, headerLength)
}

/**
 * Enters `address` where a record route option has room left.
 * @returns whether it did; the header's checksum is the caller's to write then
 */
export function recordRoute(view: DataView, o: number, headerLength: number, address: number): boolean {
  let at = 20
  while (at < headerLength) {
    const kind = view.getUint8(o + at)
    if (kind === END) return false
    if (kind === NOP) {
      at++
      continue
    }
    const length = view.getUint8(o + at + 1)
    if (kind === RECORD_ROUTE) {
      const pointer = view.getUint8(o + at + 2)
      if (pointer + 3 > length) return false
      view.setInt32(o + at + pointer - 1, address)
      view.setUint8(o + at + 2, pointer + 4)
      return true
    }
    at += length
  }
  return false
}
