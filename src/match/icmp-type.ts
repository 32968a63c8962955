// What the matches icmp and icmp6 have in common: a type, with or without a code, by number or by name.

import type { Packet } from '../packet/packet.ts'
import { HOTDROP, type MatchFunction } from '../rule/define.ts'
import { parseNumber } from '../rule/number.ts'
import { type Option, Problem, shown, word } from '../rule/option.ts'
import { fragmentOffset } from './port-match.ts'

export interface IcmpType {
  readonly type: number
  /** -1 for every code. */
  readonly code: number
}

/** Names of types and of codes, as iptables lists them: each with `type` or `type/code`. */
export type IcmpNames = readonly (readonly [string, string])[]

/** @param every the type that stands for all types, whatever code stands behind it, and is saved as `any` */
export function icmpTypes(names: IcmpNames, expects: string, every?: number): Option<IcmpType, false, false> {
  return word<IcmpType>(
    expects,
    (text) => {
      // A beginning will do, if it is the beginning of one name only, or is the whole of one.
      const wanted = text.toLowerCase()
      const fits = text === '' ? [] : names.filter(([name]) => name.toLowerCase().startsWith(wanted))
      if (fits.length > 1)
        return new Problem(`${shown(text)} could be ${fits[0][0]} or ${fits[1][0]}: expected ${expects}`)
      const parts = (fits[0]?.[1] ?? text).split('/')
      const [type, code] = parts.map((part) => parseNumber(part, 255) ?? -1)
      if (type === -1 || code === -1 || parts.length > 2)
        return new Problem(`${shown(text)} is not understood: expected ${expects}`)
      return { type, code: code ?? -1 }
    },
    ({ type, code }) => (type === every ? 'any' : code < 0 ? String(type) : `${type}/${code}`),
  )
}

/** For help: every name, a code's below its type's. */
export function icmpNotes(title: string, names: IcmpNames): string {
  return `${title}:\n${names.map(([name, means]) => `${means.includes('/') ? '   ' : ''}${name}\n`).join('')}`
}

/** `icmp echo-request`, `icmptype 8 code 0`, as listings show it. */
export function listIcmp(protocol: string, names: IcmpNames, { type, code }: IcmpType, not: boolean, numeric: boolean) {
  const written = code < 0 ? String(type) : `${type}/${code}`
  const name = numeric ? undefined : names.find(([, means]) => means === written)?.[0]
  if (name !== undefined) return `${protocol} ${not ? '!' : ''}${name}`
  return `${protocol}${not ? ' !' : ''}type ${type}${code < 0 ? '' : ` code ${code}`}`
}

/** A later fragment does not match; a header that is cut off is dropped at once. */
export function icmpMatch({ type, code }: IcmpType, not: boolean, every?: number): MatchFunction {
  const all = type === every
  const hit = not ? 0 : 1
  return (p: Packet) => {
    if (fragmentOffset(p) !== 0) return 0
    if (p.transport === 0) return HOTDROP
    const fits = all || (p.dport >>> 8 === type && (code < 0 || (p.dport & 0xff) === code))
    return fits ? hit : 1 - hit
  }
}
