// Match hashlimit (xt_hashlimit, revision 3): a rate for each combination of addresses and ports, in packets or in bytes. Rules
// that give one name share the table, and the rate of the rule that made it. Credit of packet rates is counted in millionths of
// a second, that of byte rates as Linux counts it: so much a second, and a price for each chunk of 16 bytes.

import { NO_PROTOCOL, type Packet } from '../packet/packet.ts'
import { maskLength, maskWords, parseMask } from '../rule/address.ts'
import { defineMatch, HOTDROP, NotTaken, type ValuesOf } from '../rule/define.ts'
import type { Family } from '../rule/model.ts'
import { parseDecimal } from '../rule/number.ts'
import { flag, Problem, shown, text, u32, unexpected, word } from '../rule/option.ts'
import * as ip from '../wire/ipv4.ts'
import { NO_NEXT } from '../wire/ipv6-extension.ts'
import {
  bytesPerSecond,
  EXPECTS_RATE,
  EXPECTS_SIZE,
  type HashRate,
  printedUnit,
  RATE_SCALE,
  rateText,
  readRate,
  readSize,
  sizeText,
} from './hashlimit-rate.ts'
import { BucketTable } from './hashlimit-table.ts'
import { fragmentOffset } from './port-match.ts'

/** Millionths of a second, and credit for bytes, that a millisecond brings. */
const CREDIT_PER_MS = 1000
const BYTE_CREDIT_PER_MS = 4_194_304
const BYTE_CREDIT_MAX = 1000 * BYTE_CREDIT_PER_MS
const CHUNK_SHIFT = 4
/** Linux's own measure of packet credit, whose products wrap at 2^64. */
const KERNEL_CREDIT = 137_438_953n
/** Buckets that a table may have where the rule does not say, on a machine of a gigabyte and more. */
const DEFAULT_SIZE = 8192
const SIZE_MAX = 1 << 20
const INTERVAL = 1000

const MODES = { srcip: 1, srcport: 2, dstip: 4, dstport: 8 } as const
const EXPECTS_MODE = `one or more of ${Object.keys(MODES).join(',')}, joined by commas`
const ADDRESS_BITS = { 4: 32, 6: 128 } as const
const EXPECTS_MASK = { 4: 'a length from 0 to 32', 6: 'a length from 0 to 128' } as const
const EXPECTS_INTERVAL = 'seconds from 1 to 2147483647'
const EXPECTS_NAME = "a table's name of 1 to 254 bytes, without / and not . or .."

interface Burst {
  /** Packets; or bytes, until the rate is known to be of bytes: then bursts of that many bytes. */
  readonly count: number
  readonly each?: number
}

const name = text({ min: 1, max: 254, cut: true })
const rate = word<HashRate>(EXPECTS_RATE, readRate, rateText).negatable()
const mask = word<number>(
  `${EXPECTS_MASK[4]}, or for IPv6 to 128`,
  (given, { family }) => {
    const read = parseMask(given, family)
    return (read === undefined ? undefined : maskLength(read)) ?? unexpected(given, EXPECTS_MASK[family])
  },
  String,
)
const size = u32()

const options = {
  'hashlimit-upto': rate.alias('hashlimit').help('as long as the rate is not exceeded'),
  'hashlimit-above': rate.help('once the rate is exceeded'),
  'hashlimit-burst': word<Burst>(
    EXPECTS_SIZE,
    (given) => {
      const count = readSize(/^\s*0x[0-9a-f]+$/i.test(given) ? String(Number(given)) : given)
      return count === undefined ? unexpected(given, EXPECTS_SIZE) : { count }
    },
    ({ count, each }) => (each === undefined ? String(count) : sizeText(count * each)),
  ).help('how much at once to begin with'),
  'hashlimit-mode': word<number>(
    EXPECTS_MODE,
    (given) => {
      let sum = 0
      for (const part of given.split(',')) {
        if (part === '') continue
        if (!Object.hasOwn(MODES, part)) return unexpected(part, EXPECTS_MODE)
        sum |= MODES[part as keyof typeof MODES]
      }
      return sum
    },
    (sum) =>
      Object.entries(MODES)
        .filter(([, bit]) => (sum & bit) !== 0)
        .map(([mode]) => mode)
        .join(','),
  ).help('what has a rate of its own; all packets share one without it'),
  'hashlimit-name': word(
    EXPECTS_NAME,
    (given, context) =>
      /^\.{1,2}$|\//.test(given)
        ? new Problem(`${shown(given)} can be no table's name: expected ${EXPECTS_NAME}`, 0, 'tables')
        : name.kind.parse([given], context),
    (value) => value,
  )
    .required()
    .help('the table'),
  'hashlimit-htable-size': size.help('buckets of the hash; how many combinations there may be follows from it'),
  'hashlimit-htable-max': size.help('how many combinations there may be'),
  'hashlimit-htable-gcinterval': u32({ min: 1 }).default(INTERVAL).help('milliseconds between collections'),
  'hashlimit-htable-expire': u32({ min: 1 }).help('milliseconds after which what was not used is forgotten'),
  'hashlimit-srcmask': mask.help('source addresses are taken together that agree in so many bits'),
  'hashlimit-dstmask': mask.help('the same for destination addresses'),
  'hashlimit-rate-match': flag().help('the rate is measured by interval, and nothing is limited'),
  'hashlimit-rate-interval': word<number>(
    EXPECTS_INTERVAL,
    (given) => parseDecimal(given, 0x7fffffff) || unexpected(given, EXPECTS_INTERVAL),
    String,
  ).help('seconds of an interval'),
}

type Values = ValuesOf<typeof options>

export const hashlimit = defineMatch({
  name: 'hashlimit',
  summary: 'a rate for each address, port, or combination of them',
  options,
  asSaved: (o) => ({
    ...o,
    'hashlimit-rate-interval': o['hashlimit-rate-match'] ? o['hashlimit-rate-interval'] : undefined,
  }),
  list: (o) => {
    const { given, above } = rateOf(o)
    // Measured by longer intervals a rate is listed by the second.
    const interval = o['hashlimit-rate-interval']
    const rate = given.bytes ? given : { ...given, average: given.average * (interval ?? 1) }
    const words = ['limit:', above ? 'above' : 'up to', rateText(rate)]
    const burst = o['hashlimit-burst']
    if (burst !== undefined) words.push('burst', options['hashlimit-burst'].kind.format(burst))
    const mode = o['hashlimit-mode']
    if (mode !== undefined) words.push('mode', options['hashlimit-mode'].kind.format(mode).replaceAll(',', '-'))
    const expire = o['hashlimit-htable-expire'] ?? quantumOf(given, burst)
    const collection = o['hashlimit-htable-gcinterval']
    const listed = {
      'htable-size': o['hashlimit-htable-size'],
      'htable-max': o['hashlimit-htable-max'],
      'htable-gcinterval': collection === INTERVAL ? undefined : collection,
      'htable-expire': expire === quantumOf(rate, burst) ? undefined : expire,
      srcmask: o['hashlimit-srcmask'],
      dstmask: o['hashlimit-dstmask'],
    }
    for (const [name, value] of Object.entries(listed)) if (value !== undefined) words.push(`${name} ${value}`)
    if (o['hashlimit-rate-match']) words.push('rate-match')
    if (o['hashlimit-rate-match'] && interval !== undefined) words.push(`rate-interval ${interval}`)
    return words.join(' ')
  },
  exclusive: [['hashlimit-upto', 'hashlimit-above']],
  anyOf: ['hashlimit-upto', 'hashlimit-above'],
  normalize: (o, { family }) => {
    const { given: written, above } = rateOf(o)
    const measured = o['hashlimit-rate-match'] === true
    // Measured by interval, the unit that was written is the interval; of limits there is none, whatever is said of it.
    const given = measured ? perInterval(written) : written
    const interval = o['hashlimit-rate-interval'] ?? (written.bytes ? 1 : written.unit)
    const mask = (length: number | undefined) => (length === ADDRESS_BITS[family] ? undefined : length)
    const burst = o['hashlimit-burst']
    const quantum = quantumOf(given, burst)
    // Unless it is said, the unit in which the rate was written decides, and the one in which it is printed counts as unsaid.
    const expire = o['hashlimit-htable-expire'] ?? (given.bytes ? quantum : written.unit * 1000)
    return {
      ...o,
      'hashlimit-upto': above ? undefined : { value: given, not: false },
      'hashlimit-above': above ? { value: given, not: false } : undefined,
      'hashlimit-burst': given.bytes ? burstOfBytes(burst, given) : (burst ?? { count: 5 }),
      'hashlimit-mode': o['hashlimit-mode'] || undefined,
      'hashlimit-htable-size': bounded(o['hashlimit-htable-size']),
      'hashlimit-htable-max': bounded(o['hashlimit-htable-max']),
      'hashlimit-htable-expire': expire === quantum ? undefined : expire,
      'hashlimit-srcmask': mask(o['hashlimit-srcmask']),
      'hashlimit-dstmask': mask(o['hashlimit-dstmask']),
      'hashlimit-rate-interval': measured ? (interval !== 1 ? interval : undefined) : o['hashlimit-rate-interval'],
    }
  },
  check: (o) => {
    const { given } = rateOf(o)
    const burst = o['hashlimit-burst']
    if (given.average === 0) return `the rate is too fast: ${EXPECTS_RATE}`
    if (!given.bytes) {
      if (burst !== undefined && burst.count > 1_000_000)
        return `--hashlimit-burst ${burst.count} is too large: expected ${EXPECTS_SIZE}`
      return packetCredit(given, burst) < packetCredit(given, { count: 1 })
        ? new NotTaken('range', 'the burst is too large for so slow a rate: expected a smaller one')
        : undefined
    }
    if (byteCost(given) === 0) return 'the rate is too fast: expected at most some gigabytes a second'
    return burst?.count === 0
      ? `the burst is too small: expected at least what a second brings, ${bytesPerSecond(given.average)}b`
      : undefined
  },
  match: (o, { shared, time, random }, { family }) => {
    const { above } = rateOf(o)
    const make = () => new Limits(o, family, random(), Math.floor(time.wall))
    const table = shared.of(`hashlimit${family}`, o['hashlimit-name'], make)
    const below = above ? 0 : 1
    return (p) => {
      const said = table.take(p, Math.floor(time.wall))
      return said === HOTDROP ? HOTDROP : said ? below : 1 - below
    }
  },
})

function rateOf(o: Values): { readonly given: HashRate; readonly above: boolean } {
  const upto = o['hashlimit-upto']
  const above = o['hashlimit-above']
  const one = upto ?? above
  if (one === undefined) return { given: { bytes: false, average: 1, packets: 1, unit: 1 }, above: false }
  return { given: one.value, above: (upto === undefined) !== one.not }
}

/** So many packets in an interval, whatever its unit. */
function perInterval(rate: HashRate): HashRate {
  return rate.bytes ? rate : { ...rate, average: Math.floor(RATE_SCALE / rate.packets), unit: 1 }
}

function quantumOf(given: HashRate, burst: Burst | undefined): number {
  if (given.bytes) return burst === undefined ? 15_000 : 60_000
  return printedUnit(given) * 1000
}

/** Bursts of what a second brings, rounded up; 0 of them for a burst that is too small. */
function burstOfBytes(burst: Burst | undefined, { average }: HashRate): Burst | undefined {
  if (burst === undefined) return undefined
  const each = bytesPerSecond(average)
  return { count: each === 0 || burst.count < each ? 0 : Math.ceil(burst.count / each), each }
}

function bounded(given: number | undefined): number | undefined {
  return given === undefined || given === 0 ? undefined : Math.min(given, SIZE_MAX)
}

/** Linux's credit for a burst. */
function packetCredit({ average }: HashRate, burst: Burst = { count: 5 }): bigint {
  return BigInt.asUintN(64, BigInt(average) * BigInt(burst.count) * KERNEL_CREDIT)
}

/** What a chunk costs. */
function byteCost({ average }: HashRate): number {
  return Number((BigInt(average) * BigInt(BYTE_CREDIT_MAX)) >> 32n)
}

/** A table with the rate that all its buckets have. */
class Limits {
  readonly #buckets: BucketTable
  readonly #family: Family
  readonly #bytes: boolean
  readonly #cost: number
  readonly #most: number
  readonly #mode: number
  readonly #sourceMask: readonly number[]
  readonly #destinationMask: readonly number[]
  /** Milliseconds of an interval where rates are measured, 0 where they are limits. */
  readonly #interval: number
  /** What may come in a second, and at once, where rates are measured. */
  readonly #rate: number
  readonly #burst: number

  constructor(o: Values, family: Family, seed: number, now: number) {
    const { given } = rateOf(o)
    const burst = o['hashlimit-burst']
    const mode = o['hashlimit-mode'] ?? 0
    const all = ADDRESS_BITS[family]
    const none = maskWords(0, family)
    const size = o['hashlimit-htable-size'] ?? DEFAULT_SIZE
    const measured = o['hashlimit-rate-match'] === true
    this.#family = family
    this.#bytes = given.bytes
    this.#cost = given.bytes ? byteCost(given) : given.average
    this.#most = given.bytes ? BYTE_CREDIT_MAX : Number(packetCredit(given, burst) / KERNEL_CREDIT)
    this.#mode = mode
    this.#sourceMask = (mode & MODES.srcip) === 0 ? none : maskWords(o['hashlimit-srcmask'] ?? all, family)
    this.#destinationMask = (mode & MODES.dstip) === 0 ? none : maskWords(o['hashlimit-dstmask'] ?? all, family)
    this.#interval = measured ? 1000 * (o['hashlimit-rate-interval'] ?? 1) : 0
    this.#rate = given.bytes ? bytesPerSecond(given.average) : Math.floor(RATE_SCALE / given.average)
    this.#burst = given.bytes ? (burst?.count ?? 1) * this.#rate : (burst?.count ?? 0) + this.#rate
    const shape = {
      max: Math.max(o['hashlimit-htable-max'] ?? 8 * size, size),
      interval: o['hashlimit-htable-gcinterval'],
      expire: o['hashlimit-htable-expire'] ?? quantumOf(given, burst),
      credit: measured ? 0 : this.#most,
      bursts: !measured && given.bytes ? (burst?.count ?? 0) : 0,
    }
    this.#buckets = new BucketTable(shape, 2 * none.length + 1, seed, now)
  }

  /** Whether the packet is within the rate: 1 or 0, or HOTDROP where it cannot be told. */
  take(p: Packet, now: number): number {
    let ports = 0
    if ((this.#mode & (MODES.srcport | MODES.dstport)) !== 0) {
      const at = portsAt(p)
      if (at < 0) return HOTDROP
      if (at > 0) ports = portsOf(p.view.getInt32(at), this.#mode)
    }
    if (this.#family === 4) this.#seek4(p, ports)
    else this.#seek6(p, ports)
    const bucket = this.#buckets.bucket(now)
    if (bucket < 0) return HOTDROP
    return this.#interval > 0 ? this.#measure(p, bucket, now) : this.#spend(p, bucket, now)
  }

  #seek4(p: Packet, ports: number): void {
    const { sought } = this.#buckets
    sought[0] = p.source & this.#sourceMask[0]
    sought[1] = p.destination & this.#destinationMask[0]
    sought[2] = ports
  }

  #seek6(p: Packet, ports: number): void {
    const { sought } = this.#buckets
    const source = this.#sourceMask
    const destination = this.#destinationMask
    sought[0] = p.source & source[0]
    sought[1] = p.source1 & source[1]
    sought[2] = p.source2 & source[2]
    sought[3] = p.source3 & source[3]
    sought[4] = p.destination & destination[0]
    sought[5] = p.destination1 & destination[1]
    sought[6] = p.destination2 & destination[2]
    sought[7] = p.destination3 & destination[3]
    sought[8] = ports
  }

  /** A bucket of credit. */
  #spend(p: Packet, bucket: number, now: number): number {
    const b = this.#buckets
    const passed = now - b.since[bucket]
    b.since[bucket] = now
    const gained = passed > 0 ? passed * (this.#bytes ? BYTE_CREDIT_PER_MS : CREDIT_PER_MS) : 0
    let credit = Math.min(b.credit[bucket] + gained, this.#most)
    let cost = this.#cost
    if (this.#bytes) {
      cost = Math.min(cost * ((p.length >>> CHUNK_SHIFT) + 1), this.#most)
      if (credit < cost && b.bursts[bucket] > 0) {
        b.bursts[bucket]--
        credit = this.#most
      }
    }
    const within = credit >= cost
    b.credit[bucket] = within ? credit - cost : credit
    return within ? 1 : 0
  }

  /** A bucket that counts what comes in an interval (`credit`) and knows whether the one before had too much (`bursts`). */
  #measure(p: Packet, bucket: number, now: number): number {
    const b = this.#buckets
    const passed = now - b.since[bucket]
    if (passed >= this.#interval) {
      b.since[bucket] = now
      b.bursts[bucket] = b.credit[bucket] * this.#interval > passed * this.#rate ? 1 : 0
      b.credit[bucket] = 0
    }
    b.credit[bucket] += this.#bytes ? p.length : 1
    return b.bursts[bucket] === 0 && b.credit[bucket] <= this.#burst ? 1 : 0
  }
}

/**
 * Offset of what stands in the ports' place, of IPv4 whatever fragment it is, of IPv6 not in a later one; 0 where there is none,
 * -1 where it is cut off.
 */
function portsAt(p: Packet): number {
  if (p.family === 6) {
    if (p.protocol === NO_PROTOCOL || p.protocol === NO_NEXT) return -1
    if (fragmentOffset(p) !== 0) return 0
  }
  let at = p.start + p.headerLength
  switch (p.protocol) {
    case ip.PROTO_TCP:
    case ip.PROTO_UDP:
    case ip.PROTO_DCCP:
    case ip.PROTO_ESP:
    case ip.PROTO_SCTP:
    case ip.PROTO_UDPLITE:
      break
    case ip.PROTO_AH:
      at += 4
      break
    default:
      return 0
  }
  return at + 4 > p.start + p.length ? -1 : at
}

function portsOf(word: number, mode: number): number {
  return word & (((mode & MODES.srcport) !== 0 ? 0xffff0000 : 0) | ((mode & MODES.dstport) !== 0 ? 0xffff : 0))
}
