// What the matches on extension headers of IPv6 have in common: the first header of their kind is looked for from the IPv6 header on,
// whatever `-p` says. Where there is none, or only behind the header of a later fragment, the rule does not match; where the
// chain is cut off before it, or the header itself is, or says to be longer than the packet, the packet is dropped at once.

import type { Packet } from '../packet/packet.ts'
import { HOTDROP, type MatchFunction } from '../rule/define.ts'
import type { Negatable } from '../rule/model.ts'
import * as extension from '../wire/ipv6-extension.ts'

/** The end of the packet's bytes. */
export function endOf(p: Packet): number {
  return p.start + p.length
}

/**
 * Asks `test` about the first header of a kind.
 * @param least how many of its bytes have to be there
 */
export function onExtension(kind: number, least: number, test: (p: Packet, at: number) => boolean): MatchFunction {
  return (p) => {
    const end = endOf(p)
    const at = extension.find(p.view, p.start, end, kind)
    if (at < 0) return at === extension.ABSENT ? 0 : HOTDROP
    if (at + least > end || at + extension.lengthOf(p.view, kind, at) > end) return HOTDROP
    return test(p, at) ? 1 : 0
  }
}

/** Whether a value is the one that is asked for, or, negated, is not; where nothing is asked it is. */
export function isAsked(asked: Negatable<number> | undefined, found: number): boolean {
  return asked === undefined || (found === asked.value) !== asked.not
}
