// Match sctp (xt_sctp): ports and the types of chunks (RFC 9260). A later fragment does not match; a header, or the first four bytes of a
// chunk, that is cut off, and a chunk of length 0, are dropped at once where somebody looks at them.

import type { Packet } from '../packet/packet.ts'
import { defineMatch, HOTDROP } from '../rule/define.ts'
import { portRange } from '../rule/kinds.ts'
import { type Option, option, Problem, shown } from '../rule/option.ts'
import { PROTO_SCTP } from '../wire/ipv4.ts'
import * as sctpHeader from '../wire/sctp.ts'
import { ANY_PORT, listPorts, plainPorts, withoutTransport } from './port-match.ts'

const CHUNK_HEADER = 4
const CHUNK_TYPE = 0
const CHUNK_FLAGS = 1
const CHUNK_LENGTH = 2

/** By number, which is the order in which they are saved. */
const CHUNKS: Readonly<Record<string, number>> = {
  DATA: 0,
  INIT: 1,
  INIT_ACK: 2,
  SACK: 3,
  HEARTBEAT: 4,
  HEARTBEAT_ACK: 5,
  ABORT: 6,
  SHUTDOWN: 7,
  SHUTDOWN_ACK: 8,
  ERROR: 9,
  COOKIE_ECHO: 10,
  COOKIE_ACK: 11,
  ECN_ECNE: 12,
  ECN_CWR: 13,
  SHUTDOWN_COMPLETE: 14,
  I_DATA: 64,
  ASCONF_ACK: 128,
  RE_CONFIG: 130,
  PAD: 132,
  FORWARD_TSN: 192,
  ASCONF: 193,
  I_FORWARD_TSN: 194,
}
/** Letters of flags, from the highest bit to the lowest, by chunk. Those of I_DATA are read, and lost, as by iptables 1.8.9. */
const FLAGS: Readonly<Record<number, string>> = {
  0: '----IUBE',
  64: '----IUBE',
  6: '-------T',
  14: '-------T',
}
const ALL_TYPES = 256
const WAYS = ['all', 'any', 'only'] as const
const EXPECTS = `two words, ${WAYS.join(', ')}, and chunks joined by commas, each TYPE or TYPE:FLAGS, or ALL or NONE; types are ${Object.keys(CHUNKS).join(', ')}`

interface Chunk {
  readonly type: number
  /** What of its flags is looked at, and what is to be there. */
  readonly mask: number
  readonly flags: number
}

interface Chunks {
  readonly way: (typeof WAYS)[number]
  /** Ascending by type; or every type. */
  readonly chunks: readonly Chunk[] | 'ALL'
}

function readChunk(text: string, known: Map<number, Chunk>): boolean {
  const [name, flags = ''] = text.split(/:(.*)/s)
  const type = CHUNKS[name.toUpperCase()]
  if (type === undefined) return false
  const chunk = { mask: 0, flags: 0, ...known.get(type), type }
  for (const letter of flags) {
    const at = (FLAGS[type] ?? '').indexOf(letter.toUpperCase())
    if (at < 0) return false
    if (type === CHUNKS.I_DATA) continue
    const bit = 0x80 >>> at
    chunk.mask |= bit
    // A flag that was asked to be set stays so.
    if (letter === letter.toUpperCase()) chunk.flags |= bit
  }
  known.set(type, chunk)
  return true
}

const chunkTypes: Option<Chunks, false, false> = option<Chunks>({
  words: 2,
  expects: EXPECTS,
  parse: ([given, text]) => {
    const way = WAYS.find((one) => one === given.toLowerCase())
    if (way === undefined) return new Problem(`${shown(given)} is not understood: expected ${EXPECTS}`)
    if (text.toUpperCase() === 'ALL') return { way, chunks: 'ALL' }
    const known = new Map<number, Chunk>()
    if (text.toUpperCase() !== 'NONE')
      for (const part of text.split(','))
        if (part !== '' && !readChunk(part, known))
          return new Problem(`${shown(part)} is no chunk with its flags: expected ${EXPECTS}`, 1)
    return { way, chunks: [...known.values()].sort((a, b) => a.type - b.type) }
  },
  format: ({ way, chunks }) => {
    if (chunks === 'ALL') return `${way} ALL`
    return `${way} ${chunks.map((chunk) => formatChunk(chunk)).join(',') || 'NONE'}`
  },
})

/** As it is listed with -n. */
function byNumber({ way, chunks }: Chunks): string {
  if (chunks === 'ALL') return `${way} ALL`
  const hex = (type: number) => `0x${type.toString(16).padStart(4, '0')}`
  return `${way} ${chunks.map((chunk) => formatChunk(chunk, hex(chunk.type))).join(',') || 'NONE'}`
}

function nameOf(type: number): string {
  return Object.keys(CHUNKS).find((one) => CHUNKS[one] === type) ?? String(type)
}

function formatChunk({ type, mask, flags }: Chunk, name = nameOf(type)): string {
  const letters = [...(FLAGS[type] ?? '')].map((letter, at) => {
    const bit = 0x80 >>> at
    return (mask & bit) === 0 ? '' : (flags & bit) !== 0 ? letter : letter.toLowerCase()
  })
  const written = letters.join('')
  return written === '' ? `${name}` : `${name}:${written}`
}

const ports = portRange({ services: 'sctp' }).negatable()

export const sctp = defineMatch({
  name: 'sctp',
  summary: 'SCTP ports and chunks',
  protocols: [PROTO_SCTP],
  options: {
    sport: ports.alias('source-port').help('source port or range'),
    dport: ports.alias('destination-port').help('destination port or range'),
    'chunk-types': chunkTypes
      .negatable()
      .help('all of these chunks are there, any of them, or only them; a flag in upper case is to be set'),
  },
  plain: (o) => (o['chunk-types'] === undefined ? plainPorts(o) : undefined),
  list: (o, numeric) => {
    const words = ['sctp', ...listPorts(o.sport, o.dport, 'sctp', numeric)]
    const types = o['chunk-types']
    if (types !== undefined)
      words.push(`${types.not ? '! ' : ''}${numeric ? byNumber(types.value) : chunkTypes.kind.format(types.value)}`)
    return words.join(' ')
  },
  looksFor: (o) => (o['chunk-types'] === undefined ? 'flow' : 'packet'),
  match: (o) => {
    const { min: sportMin, max: sportMax } = o.sport?.value ?? ANY_PORT
    const { min: dportMin, max: dportMax } = o.dport?.value ?? ANY_PORT
    const sportNot = o.sport?.not === true
    const dportNot = o.dport?.not === true
    const types = o['chunk-types']
    const test = types === undefined ? undefined : chunkTest(types.value)
    const hit = types?.not ? 0 : 1
    return (p) => {
      if (p.transport === 0) return withoutTransport(p)
      if ((p.sport >= sportMin && p.sport <= sportMax) === sportNot) return 0
      if ((p.dport >= dportMin && p.dport <= dportMax) === dportNot) return 0
      if (test === undefined) return 1
      const said = test(p)
      return said === HOTDROP ? HOTDROP : said === 1 ? hit : 1 - hit
    }
  },
})

/** Walks the chunks of a packet; HOTDROP where one is not there. */
function chunkTest({ way, chunks }: Chunks): (p: Packet) => number {
  /** By type: 1 where it is meant, and the flags that it is to have. */
  const meant = new Uint8Array(ALL_TYPES)
  const masks = new Uint8Array(ALL_TYPES)
  const flags = new Uint8Array(ALL_TYPES)
  if (chunks === 'ALL') meant.fill(1)
  else
    for (const chunk of chunks) {
      meant[chunk.type] = 1
      masks[chunk.type] = chunk.mask
      flags[chunk.type] = chunk.flags
    }
  const all = meant.reduce((sum, one) => sum + one, 0)
  const any = way === 'any'
  const only = way === 'only'
  /** For `all`: the round in which a type was last seen. */
  const seen = new Float64Array(ALL_TYPES)
  let round = 0
  return (p) => {
    const { view } = p
    const end = p.start + p.length
    round++
    let missing = all
    for (let at = p.transport + sctpHeader.HEADER; ; ) {
      if (at + CHUNK_HEADER > end) return HOTDROP
      const length = view.getUint16(at + CHUNK_LENGTH)
      if (length === 0) return HOTDROP
      const type = view.getUint8(at + CHUNK_TYPE)
      const fits = meant[type] === 1 && (view.getUint8(at + CHUNK_FLAGS) & masks[type]) === flags[type]
      if (any && fits) return 1
      if (only && !fits) return 0
      if (fits && seen[type] !== round) {
        seen[type] = round
        missing--
      }
      at += (length + 3) & ~3
      if (at >= end) break
    }
    return any ? 0 : only ? 1 : missing === 0 ? 1 : 0
  }
}
