// Splitting a packet that is too long for its way (RFC 791, section 3.2), as Linux's ip_fragment does it: all fragments
// have a header of the same length, in which the options that only the first may carry are replaced by no-operations.
// A packet that was reassembled leaves in pieces no larger than the largest that it came in, without DF even where that
// one had it. Its pieces are all of one size, where Linux repeats the boundaries that it came with if it can.

import * as ip from '../wire/ipv4.ts'
import * as vnet from '../wire/vnet.ts'
import type { Packet } from './packet.ts'

/** An option's bit that says that it goes into every fragment. */
const COPIED = 0x80
const END = 0
const NOP = 1

/**
 * Emits p's fragments in order, each in a slot of its own that is now the receiver's; p keeps its slot. Whether p may be
 * fragmented at all (DF) was for the caller to see.
 * @returns how many there were, or 0, and nothing was emitted, when the slab has not enough slots or an MTU leaves no room
 */
export function fragmentOut(p: Packet, mtu: number, emit: (start: number, length: number) => void): number {
  const { slab, view, headerLength } = p
  const largest = p.fragmentMax & 0xffff
  if (largest !== 0 && largest < mtu) mtu = largest
  const room = mtu - headerLength
  // All but the last fragment hold a multiple of eight bytes.
  const step = room & ~7
  if (step <= 0) return 0
  const total = p.length - headerLength
  const count = total <= room ? 1 : 1 + Math.ceil((total - room) / step)
  if (slab.free < count) return 0
  // What is a fragment itself is split like any packet: its pieces lie at its offset, and the last keeps its MF.
  const base = (p.fragment & ip.FRAGMENT_OFFSET_MASK) << 3
  const { bytes } = slab
  let at = 0
  do {
    const left = total - at
    const length = left <= room ? left : step
    const start = slab.take()
    bytes.copyWithin(start, p.start, p.start + headerLength)
    bytes.copyWithin(start + headerLength, p.start + headerLength + at, p.start + headerLength + at + length)
    const more = length < left ? ip.MF : p.fragment & ip.MF
    view.setUint16(start + ip.TOTAL_LENGTH, headerLength + length)
    view.setUint16(start + ip.FLAGS_FRAGMENT, ((base + at) >>> 3) | more)
    if (base === 0 && at > 0) blankOptions(p, start)
    ip.writeChecksum(view, start, headerLength)
    vnet.clear(view, start)
    emit(start, headerLength + length)
    at += length
  } while (at < total)
  return count
}

/** Replaces the options that do not go into later fragments; what cannot be parsed stays as it is. */
function blankOptions(p: Packet, start: number): void {
  const { view } = p
  const end = start + p.headerLength
  for (let at = start + ip.OPTIONS; at < end; ) {
    const option = view.getUint8(at)
    if (option === END) return
    if (option === NOP) {
      at++
      continue
    }
    const length = at + 1 < end ? view.getUint8(at + 1) : 0
    if (length < 2 || at + length > end) return
    if ((option & COPIED) === 0) p.slab.bytes.fill(NOP, at, at + length)
    at += length
  }
}
