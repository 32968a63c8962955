// Match string (xt_string): a run of bytes anywhere in the packet, its IP header included. Both algorithms of Linux find the
// same here, where a packet lies in one piece. The first occurrence from --from on has to end before --to.

import { defineMatch, NotTaken } from '../rule/define.ts'
import { words } from '../rule/listing.ts'
import { flag, Problem, shown, u16, unexpected, word } from '../rule/option.ts'

const MAX = 128
const EXPECTS = `text of 1 to ${MAX} bytes`
const EXPECTS_HEX = `${EXPECTS}, with hexadecimal bytes between bars as in |0d 0a|`

/** A text that can be printed is saved as text, any other in hexadecimal. */
function isText(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte >= 0x20 && byte < 0x7f)
}

function format(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes)
  return isText(bytes) ? `"${buffer.toString('latin1').replace(/["\\]/g, '\\$&')}"` : `"|${buffer.toString('hex')}|"`
}

function bounded(bytes: Uint8Array): Uint8Array | Problem {
  if (bytes.length > 0 && bytes.length <= MAX) return bytes
  return new Problem(`the text has ${bytes.length} bytes: expected ${EXPECTS}`)
}

const plain = word<Uint8Array>(EXPECTS, (text) => bounded(Buffer.from(text)), format)
const hex = word<Uint8Array>(EXPECTS_HEX, readHex, format)

function readHex(text: string): Uint8Array | Problem {
  const bytes: number[] = []
  let inside = false
  const given = Buffer.from(text)
  for (let i = 0; i < given.length; ) {
    const byte = given[i]
    if (byte === 0x5c && !inside) {
      if (i + 1 >= given.length) return unexpected(text, EXPECTS_HEX)
      bytes.push(given[i + 1])
      i += 2
    } else if (byte === 0x7c) {
      inside = !inside
      i++
      while (inside && given[i] === 0x20) i++
    } else if (inside) {
      const pair = given.subarray(i, i + 2).toString('latin1')
      if (!/^[0-9a-f]{2}$/i.test(pair) || i + 2 >= given.length) return unexpected(text, EXPECTS_HEX)
      bytes.push(Number.parseInt(pair, 16))
      i += 2
      while (given[i] === 0x20) i++
    } else {
      bytes.push(byte)
      i++
    }
  }
  return bounded(Uint8Array.from(bytes))
}

const algorithm = word<'bm' | 'kmp'>(
  'bm or kmp',
  (text) =>
    text === 'bm' || text === 'kmp'
      ? text
      : new Problem(`there is no algorithm ${shown(text)}: expected bm or kmp`, 0, 'missing'),
  (name) => name,
)

export const string = defineMatch({
  name: 'string',
  summary: 'a run of bytes in the packet',
  options: {
    string: plain.negatable().help('this text'),
    'hex-string': hex.negatable().help('this text, bytes in hexadecimal between bars'),
    algo: algorithm.required().help('the algorithm, which makes no difference here'),
    from: u16().default(0).help('searched from this offset on'),
    to: u16().default(0xffff).help('the text ends before this offset'),
    icase: flag().help('upper and lower case are the same'),
  },
  exclusive: [['string', 'hex-string']],
  anyOf: ['string', 'hex-string'],
  normalize: (o) => {
    const given = o.string ?? o['hex-string']
    const printable = given !== undefined && isText(given.value)
    return { ...o, string: printable ? given : undefined, 'hex-string': printable ? undefined : given }
  },
  check: ({ from, to }) => (from > to ? new NotTaken('tables', `--from ${from} lies behind --to ${to}`) : undefined),
  list: (o) => {
    const text = o.string ?? o['hex-string']
    const option = o.string === undefined ? hex : plain
    return words(
      `STRING match ${text?.not ? '!' : ''} ${option.kind.format(text?.value as never)}`,
      `ALGO name ${o.algo}`,
      o.from !== 0 && `FROM ${o.from}`,
      o.to !== 0xffff && `TO ${o.to}`,
      o.icase && 'ICASE',
    )
  },
  looks: 'packet',
  match: (o) => {
    const { value: pattern, not } = o.string ?? o['hex-string'] ?? { value: new Uint8Array(1), not: false }
    const { from, to } = o
    const fold = folding(o.icase === true)
    const wanted = pattern.map((byte) => fold[byte])
    const skips = skipsOf(wanted)
    const hit = not ? 0 : 1
    return (p) => {
      const { bytes } = p.slab
      const end = p.start + Math.min(p.length, to)
      return contains(bytes, p.start + from, end, wanted, skips, fold) ? hit : 1 - hit
    }
  },
})

/** Each byte as it is compared: as it is, or its upper case as Linux's ctype has it (Latin-1). */
function folding(ignoreCase: boolean): Uint8Array {
  const lower = (byte: number) => (byte >= 0x61 && byte <= 0x7a) || (byte >= 0xdf && byte !== 0xf7)
  return Uint8Array.from({ length: 256 }, (_, byte) => (ignoreCase && lower(byte) ? byte - 0x20 : byte))
}

/** By the byte that stands at the window's end, how far the window may move (Horspool). */
function skipsOf(wanted: Uint8Array): Uint8Array {
  const skips = new Uint8Array(256).fill(wanted.length)
  for (let i = 0; i < wanted.length - 1; i++) skips[wanted[i]] = wanted.length - 1 - i
  return skips
}

function contains(
  bytes: Uint8Array,
  start: number,
  end: number,
  wanted: Uint8Array,
  skips: Uint8Array,
  fold: Uint8Array,
): boolean {
  const last = wanted.length - 1
  for (let at = start + last; at < end; at += skips[fold[bytes[at]]]) {
    let i = 0
    while (i <= last && fold[bytes[at - i]] === wanted[last - i]) i++
    if (i > last) return true
  }
  return false
}
