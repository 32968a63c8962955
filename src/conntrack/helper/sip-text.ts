// What helper sip reads in messages of SIP (RFC 3261) and in the session descriptions that they carry (RFC 8866): headers by name,
// addresses in them with their places, and parameters behind them. Places are offsets in the message. Nothing takes longer than a
// few times the message's length: of absurd ones less is read than Linux reads (URIS_MAX, USER_MAX).

import { parse6 } from '../../wire/address6.ts'

/** Somewhere in a message. */
export interface Span {
  readonly at: number
  readonly length: number
}

/** An address, with a port where one may stand. */
export interface Host extends Span {
  readonly address: readonly number[]
  readonly port: number
}

/** Names of headers, and their short forms. */
const SHORT: Readonly<Record<string, string | undefined>> = {
  From: 'f',
  To: 't',
  Contact: 'm',
  Via: 'v',
  'Content-Length': 'l',
}
const PORT = 5060
const LEAST_PORT = 1024
/** URIs of a header, and characters of a user's name. */
export const URIS_MAX = 64
const USER_MAX = 1024

/** The length of the message that this begins with, by its Content-Length; -1 where it does not say or has no end of its headers. */
export function messageLength(text: string): number {
  const content = numberIn(text, 'Content-Length')
  if (content === undefined || content === 'broken') return -1
  const end = text.indexOf('\r\n\r\n', content.at + content.length)
  return end < 0 ? -1 : end + '\r\n\r\n'.length + content.value
}

/** Where the values of all headers of this name begin, with where their lines, continued ones included, end. */
export function* valuesOf(text: string, name: string): Generator<{ at: number; end: number }> {
  const short = SHORT[name]
  const names = short === undefined ? name : `${name}|${short}(?![a-z])`
  for (const found of text.matchAll(new RegExp(`(?:\\r\\n|\\r|\\n)(?:${names})[ \\t]*:[ \\t]*`, 'gi'))) {
    const at = found.index + found[0].length
    const end = text.slice(at).search(/\r\n(?![ \t])|\n(?![ \t])|\r(?![ \t\n])/)
    yield { at, end: end < 0 ? text.length : at + end }
  }
}

/** The number that a header begins with; 'broken' for none, undefined where there is no such header. */
export function numberIn(text: string, name: string): (Span & { readonly value: number }) | 'broken' | undefined {
  for (const { at } of valuesOf(text, name)) {
    const [digits] = /^\d*/.exec(text.slice(at, at + 20)) as RegExpExecArray
    return digits === '' ? 'broken' : { at, length: digits.length, value: Number(digits) >>> 0 }
  }
  return undefined
}

/** An address at this place, with its brackets if it is IPv6's; undefined where there is none. @param words 1 or 4 */
export function addressAt(
  text: string,
  at: number,
  words: number,
): (Span & { address: readonly number[] }) | undefined {
  const rest = text.slice(at, at + 64)
  if (words === 1) {
    const found = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![.\d])/.exec(rest)
    const bytes = found?.slice(1).map(Number)
    if (found === null || bytes === undefined || bytes.some((byte) => byte > 255)) return undefined
    const [a, b, c, d] = bytes
    return { at, length: found[0].length, address: [(a << 24) | (b << 16) | (c << 8) | d] }
  }
  const found = /^(\[?)([0-9a-f:.]+)(\]?)/i.exec(rest)
  const address = found === null ? undefined : parse6(found[2])
  if (found === null || address === undefined || (found[1] === '[') !== (found[3] === ']')) return undefined
  return { at, length: found[0].length, address }
}

/** The same with a port behind it, or the protocol's own; 'broken' for one that cannot be. */
export function hostAt(text: string, at: number, words: number): Host | 'broken' {
  const found = addressAt(text, at, words)
  if (found === undefined) return 'broken'
  const [written, digits] = /^:(\d+)/.exec(text.slice(at + found.length, at + found.length + 12)) ?? ['', '']
  const port = digits === '' ? PORT : Number(digits)
  if (port < LEAST_PORT || port > 0xffff) return 'broken'
  return { at, length: found.length + written.length, address: found.address, port }
}

/** The address of a URI whose `sip:` ends here: behind the user's name, if there is one. */
function uriAt(text: string, at: number, words: number): Host | 'broken' {
  const user = /^[^@\r\n]*@/.exec(text.slice(at, at + USER_MAX))
  return hostAt(text, at + (user?.[0].length ?? 0), words)
}

/** The addresses of all URIs in headers of this name. */
export function* urisIn(text: string, name: string, words: number, from = 0): Generator<Host | 'broken'> {
  for (const { at, end } of valuesOf(text, name)) {
    if (end <= from) continue
    const header = text.slice(0, end)
    const scheme = /sip:/gi
    scheme.lastIndex = Math.max(at, from)
    for (let count = 0; count < URIS_MAX; count++) {
      const place = scheme.exec(header)
      if (place === null) {
        if (count === 0) yield 'broken'
        break
      }
      const found = uriAt(header, place.index + place[0].length, words)
      yield found
      if (found === 'broken') return
      const comma = header.indexOf(',', found.at + found.length)
      if (comma < 0) break
      scheme.lastIndex = comma
    }
  }
}

/** The address that a request is sent to. */
export function requestUri(text: string, words: number): Host | 'broken' | undefined {
  const found = /^[a-z]+[ \t]+sips?:/i.exec(text.slice(0, 200))
  return found === null ? undefined : uriAt(text, found[0].length, words)
}

/** The address in the topmost Via of this transport. */
export function viaHost(text: string, transport: string, words: number): Host | 'broken' | undefined {
  for (const { at, end } of valuesOf(text, 'Via')) {
    const place = text.slice(at, end).toUpperCase().indexOf(`${transport} `)
    return place < 0 ? 'broken' : hostAt(text, at + place + transport.length + 1, words)
  }
  return undefined
}

/** Where a parameter's value begins, between `at` and the next comma or the header's end; -1 where it is not there. */
export function parameterAt(text: string, at: number, name: string): number {
  const [rest] = /^[^,\r\n]*/.exec(text.slice(at)) as RegExpExecArray
  const place = rest.toLowerCase().indexOf(name)
  return place < 0 ? -1 : at + place + name.length
}

export function numberAt(text: string, at: number): Span & { readonly value: number } {
  const [digits] = /^\d*/.exec(text.slice(at, at + 20)) as RegExpExecArray
  return { at, length: digits.length, value: Number(digits) >>> 0 }
}

// ── session descriptions ──────────────────────────────────────────────────────────────────────────────────────────────

/** Where the session description begins, behind its `v=`; -1 where there is none. */
export function descriptionAt(text: string): number {
  const found = /[\r\n]v=/i.exec(text)
  return found === null ? -1 : found.index + 3
}

/** The address of the first `o=` or `c=` line before the next media description. */
export function connectionAt(text: string, from: number, letter: 'o' | 'c', words: number) {
  const media = /[\r\n]m=/i.exec(text.slice(from))
  const part = text.slice(from, media === null ? undefined : from + media.index)
  const found = new RegExp(`[\\r\\n]${letter}=[^\\r\\n]*?IN IP${words === 1 ? 4 : 6} `, 'i').exec(part)
  return found === null ? undefined : addressAt(text, from + found.index + found[0].length, words)
}

/** The media descriptions: kind, and where the port stands. */
export function mediaFrom(text: string, from: number): { readonly kind: string; readonly at: number } | undefined {
  const found = /[\r\n]m=([a-z]*) ?/i.exec(text.slice(from))
  return found === null ? undefined : { kind: found[1].toLowerCase(), at: from + found.index + found[0].length }
}
