// Reading TCP's options (RFC 9293, 3.1): what stands between the header's fixed part and its end. Whoever reads them goes from
// one to the next:
//
//     for (let at = firstOption(view, header, end); at >= 0; at = nextOption(view, at, end)) ...
//
// What always holds: where a place is returned, the option's kind stands there, its length behind it, and all of it lies before `end`.

import { MIN_HEADER, OPTION_END, OPTION_NOP } from './tcp.ts'

/** There is no other option. */
export const NO_OPTION = -1
/** What stands there is cut off, or says a length that no option has: nothing behind it can be read. */
export const CUT_OFF = -2

/** The option that stands at a place or, behind padding, is the next; NO_OPTION or CUT_OFF. @param end of the header */
function option(view: DataView, at: number, end: number): number {
  for (; at < end; at++) {
    const kind = view.getUint8(at)
    if (kind === OPTION_END) return NO_OPTION
    if (kind === OPTION_NOP) continue
    if (end - at < 2) return CUT_OFF
    const length = view.getUint8(at + 1)
    return length < 2 || at + length > end ? CUT_OFF : at
  }
  return NO_OPTION
}

/** The first option of the header at `header`. */
export function firstOption(view: DataView, header: number, end: number): number {
  return option(view, header + MIN_HEADER, end)
}

/** The one behind the option at `at`. */
export function nextOption(view: DataView, at: number, end: number): number {
  return option(view, at + view.getUint8(at + 1), end)
}

/**
 * How far it is to what stands behind `at` for Linux's targets, which do not stop at the end of the options and take what says that it
 * has no length for one byte. The byte behind `at` can be read.
 */
export function optionStep(view: DataView, at: number): number {
  const length = view.getUint8(at + 1)
  return view.getUint8(at) <= OPTION_NOP || length === 0 ? 1 : length
}
