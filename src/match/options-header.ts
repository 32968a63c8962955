// What the matches hbh and dst have in common (ip6t_hbh): a header of options. Options are compared from the first on, one by one and
// padding included; what stands behind the last one that is asked for does not matter.

import type { Packet } from '../packet/packet.ts'
import type { MatchFunction } from '../rule/define.ts'
import { listNumber, words } from '../rule/listing.ts'
import type { Negatable } from '../rule/model.ts'
import { parseNumber } from '../rule/number.ts'
import { Problem, shown, unexpected, word } from '../rule/option.ts'
import * as extension from '../wire/ipv6-extension.ts'
import { isAsked, onExtension } from './extension-header.ts'

const MAX = 16
const EXPECTS = `up to ${MAX} options as TYPE or TYPE:LENGTH, numbers from 0 to 255, joined by commas`
const PADDING = 0
/** A length that stands for every one. */
const ANY_LENGTH = 255

export interface WantedOption {
  readonly type: number
  readonly length: number
}

export const optionList = word<readonly WantedOption[]>(
  EXPECTS,
  (text) => {
    const parts = text.split(',')
    if (parts.length > MAX) return new Problem(`${shown(text)} has ${parts.length} options: expected ${EXPECTS}`)
    const wanted: WantedOption[] = []
    for (const part of parts) {
      const [type, length = ANY_LENGTH, ...more] = part.split(':').map((number) => parseNumber(number, 255) ?? -1)
      if (type < 0 || length < 0 || more.length > 0) return unexpected(part, EXPECTS)
      if (type === PADDING && part.includes(':'))
        return new Problem(`option 0 has no length: expected ${shown(part.slice(0, part.indexOf(':')))}`)
      wanted.push({ type, length })
    }
    return wanted
  },
  (wanted) => wanted.map(({ type, length }) => (length === ANY_LENGTH ? `${type}` : `${type}:${length}`)).join(','),
)

/** @param kind the header's number */
export function optionsMatch(
  kind: number,
  length: Negatable<number> | undefined,
  wanted: readonly WantedOption[] | undefined,
): MatchFunction {
  return onExtension(kind, 2, (p, at) => {
    const bytes = extension.lengthOf(p.view, kind, at)
    return isAsked(length, bytes) && (wanted === undefined || begins(p, at, bytes, wanted))
  })
}

/** Whether the header of so many bytes begins with these options. */
function begins({ view }: Packet, header: number, bytes: number, wanted: readonly WantedOption[]): boolean {
  const end = header + bytes
  let at = header + 2
  for (let i = 0; i < wanted.length; i++) {
    if (at >= end) return false
    const { type, length } = wanted[i]
    if (view.getUint8(at) !== type) return false
    if (type === PADDING) {
      at++
      continue
    }
    if (at + 2 > end) return false
    const found = view.getUint8(at + 1)
    if (length !== ANY_LENGTH && found !== length) return false
    at += 2 + found
  }
  return true
}

/** `dst length:8 opts 1,2`, as listings show it. */
export function listOptions(
  name: string,
  length: Negatable<number> | undefined,
  options: Parameters<typeof optionList.kind.format>[0] | undefined,
): string {
  return words(name, listNumber('length', length), options && `opts ${optionList.kind.format(options)}`)
}
