// What a command adds or deletes, when that is many members at once (10.0.0.0/8 in hash:ip): cut into portions that are done one
// after the other, so that packets pass between them. In the order of the whole, and with what is refused of the whole refused of
// the first portion, so that sets end up the same.

import type { Addresses, Element } from './element.ts'
import { faultError, RANGE_TOO_LARGE } from './fault.ts'
import type { Settings } from './settings.ts'
import { maskWord } from './words.ts'

/** Members of one portion: some hundred microseconds. */
const PORTION = 1024
/** Members that one command may touch. */
export const MEMBERS_MAX = 2 ** 22

/** Throws where there are more than MEMBERS_MAX, once those are done. */
export function* portions(element: Element, { type, family, netmask }: Settings): Generator<Element> {
  const hasPorts = type.parts.includes('port') && element.isPortRange
  const ports = hasPorts ? Math.abs(element.portTo - element.port) + 1 : 1
  const isRange =
    type.structure === 'hash' && type.parts[0] === 'ip' && family === 4 && (element.first?.length ?? 32) > 0
  const range = isRange && element.first !== undefined ? span(element.first) : undefined
  const stride = netmask === undefined ? 1 : 2 ** (32 - netmask)
  const addresses = range === undefined ? 1 : Math.ceil((range.to - range.from + 1) / stride)
  const networks = type.parts[0] === 'net' && element.first?.to !== undefined ? span(element.first) : undefined
  const isEverything = networks !== undefined && networks.to - networks.from === 0xffffffff
  if (type.structure !== 'hash' || isEverything || (networks === undefined && addresses * ports <= PORTION)) {
    yield element
    return
  }
  if (networks !== undefined) {
    for (const { ip, length } of prefixesOf(networks))
      for (const [port, portTo] of portPortions(element, ports))
        yield { ...element, first: { ip: [ip | 0], length }, ...(hasPorts && { port, portTo }) }
    return
  }
  const step = Math.max(1, Math.floor(PORTION / ports)) * stride
  let left = MEMBERS_MAX
  // Cut where a network of the set's netmask begins.
  const begin = range === undefined ? 0 : range.from
  const end = range === undefined ? 0 : range.to
  for (let from = begin; from <= end; from = from - (from % stride) + step) {
    const to = Math.min(from - (from % stride) + step - 1, end)
    const first = range === undefined ? element.first : { ip: [from | 0], to: to | 0 }
    for (const [port, portTo] of portPortions(element, ports)) {
      const members = Math.ceil((to - from + 1) / stride) * (portTo - port + 1)
      if (left < members) throw faultError(RANGE_TOO_LARGE)
      left -= members
      yield { ...element, first, ...(hasPorts && { port, portTo }) }
    }
  }
}

function* portPortions({ port, portTo }: Element, ports: number): Generator<[number, number]> {
  const from = Math.min(port, portTo)
  if (ports <= PORTION) yield [from, from + ports - 1]
  else for (let at = from; at < from + ports; at += PORTION) yield [at, Math.min(at + PORTION, from + ports) - 1]
}

/** The fewest prefixes that cover a run of addresses. */
export function* prefixesOf({ from, to }: Span): Generator<{ readonly ip: number; readonly length: number }> {
  for (let ip = from; ip <= to; ) {
    // The largest block that begins here, is aligned, and does not reach beyond the end.
    let length = 32
    while (length > 0) {
      const size = 2 ** (33 - length)
      if (ip % size !== 0 || ip + size - 1 > to) break
      length--
    }
    yield { ip, length }
    ip += 2 ** (32 - length)
  }
}

/** A run of IPv4 addresses as uint32, each end included. */
export interface Span {
  readonly from: number
  readonly to: number
}

export function span({ ip, to, length }: Addresses): Span {
  const [word] = ip
  if (to !== undefined) return { from: Math.min(word >>> 0, to >>> 0), to: Math.max(word >>> 0, to >>> 0) }
  const mask = maskWord(length ?? 32, 0)
  return { from: (word & mask) >>> 0, to: (word | ~mask) >>> 0 }
}
