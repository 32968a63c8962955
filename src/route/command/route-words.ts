// A route in the words of `ip route`: read and written.

import { type Links, LOOPBACK } from '../../device/link.ts'
import { type Words as Address, type Hop, PROTOCOL_BOOT, type RouteEntry, SCOPE_GLOBAL, TABLE_MAIN } from '../entry.ts'
import * as type from '../type.ts'
import { type Names, protocolNameOf, protocolOf, scopeNameOf, scopeOf } from './names.ts'
import { addressOf, BITS, type Family, formatWords, type Prefix, prefixOf } from './prefix.ts'
import { IpFault, numberOf, USAGE, type Words, wrongArgument } from './words.ts'

/** A hop as it was said. */
export interface HopWords {
  readonly via?: Address
  readonly dev?: string
  readonly weight?: number
  readonly onLink?: boolean
}

export interface RouteWords {
  type?: number
  to: Prefix
  table?: number
  metric?: number
  protocol?: number
  scope?: number
  source?: Address
  mtu?: number
  mtuLocked?: boolean
  advmss?: number
  /** What was said outside of `nexthop`. */
  hop: HopWords
  nexthops: HopWords[]
}

const TYPES: Readonly<Record<string, number>> = {
  unicast: type.UNICAST,
  local: type.LOCAL,
  broadcast: type.BROADCAST,
  anycast: type.ANYCAST,
  multicast: type.MULTICAST,
  blackhole: type.BLACKHOLE,
  unreachable: type.UNREACHABLE,
  prohibit: type.PROHIBIT,
  throw: type.THROW,
}

/** A type's number by its name. */
export function routeType(word: string): number | undefined {
  return TYPES[word]
}

const UNSUPPORTED = new Set(
  `tos dsfield ttl-propagate as rtt rttvar reordering window cwnd initcwnd initrwnd ssthresh realms realm rto_min hoplimit features
  quickack congctl pref preference_ expires fastopen_no_cookie encap nhid vrf pervasive`.split(/\s+/),
)

export function readRoute(words: Words, family: Family, names: Names): RouteWords {
  const said: RouteWords = { to: anywhere(family), hop: {}, nexthops: [] }
  let hasTo = false
  const hop: { -readonly [K in keyof HopWords]: HopWords[K] } = {}
  while (!words.done) {
    const word = words.next()
    if (readHop(word, words, family, hop)) continue
    switch (word) {
      case 'src':
        said.source = addressOf(words.next(), family)
        break
      case 'metric':
      case 'priority':
      case 'preference':
        said.metric = number(words, 'metric')
        break
      case 'table':
        said.table = named(words, (name) => names.tables.number(name), 'table')
        break
      case 'protocol':
      case 'proto':
        said.protocol = named(words, protocolOf, 'protocol')
        break
      case 'scope':
        said.scope = named(words, scopeOf, 'scope')
        break
      case 'mtu':
        said.mtuLocked = words.skip('lock')
        said.mtu = number(words, 'mtu')
        break
      case 'advmss':
        said.advmss = number(words, 'mss')
        break
      case 'nexthop':
        said.nexthops.push(readNextHop(words, family))
        break
      default: {
        if (UNSUPPORTED.has(word)) throw new IpFault(`Error: "${word}" is not supported here.\n`, USAGE)
        const isTo = word === 'to'
        const given = isTo ? words.next() : word
        const kind = TYPES[given]
        if (kind !== undefined && said.type === undefined && !hasTo) {
          said.type = kind
          // The prefix follows it.
          if (isTo || TYPES[words.peek ?? ''] === undefined) {
            said.to = prefixOf(words.next(), family)
            hasTo = true
          }
          break
        }
        if (hasTo) throw new IpFault(`Error: either "to" is duplicate, or "${given}" is a garbage.\n`, USAGE)
        said.to = prefixOf(given, family)
        hasTo = true
      }
    }
  }
  said.hop = hop
  return said
}

function anywhere(family: Family): Prefix {
  return { network: family === 4 ? [0] : [0, 0, 0, 0], length: 0 }
}

function readHop(
  word: string,
  words: Words,
  family: Family,
  hop: { -readonly [K in keyof HopWords]: HopWords[K] },
): boolean {
  switch (word) {
    case 'via':
      words.skip('inet', 'inet6')
      hop.via = addressOf(words.next(), family)
      return true
    case 'dev':
    case 'oif':
      hop.dev = words.next()
      return true
    case 'onlink':
      hop.onLink = true
      return true
    default:
      return false
  }
}

function readNextHop(words: Words, family: Family): HopWords {
  const hop: { -readonly [K in keyof HopWords]: HopWords[K] } = {}
  while (!words.done && words.peek !== 'nexthop') {
    const word = words.next()
    if (readHop(word, words, family, hop)) continue
    if (word !== 'weight') throw new IpFault(`Error: "nexthop" or end of line is expected instead of "${word}"\n`, 1)
    const weight = words.next()
    const share = numberOf(weight)
    if (share === undefined || share < 1 || share > 256) throw wrongArgument(weight, '"weight" is invalid\n')
    hop.weight = share
  }
  return hop
}

function number(words: Words, what: string): number {
  return words.number(`"${what}" value is invalid\n`)
}

function named(words: Words, read: (name: string) => number | undefined, what: string): number {
  const word = words.next()
  const value = read(word)
  if (value === undefined) throw wrongArgument(word, `"${what}" value is invalid\n`)
  return value
}

// ── written ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a listing leaves out, because it was asked for by that alone. */
export interface Shown {
  readonly details: boolean
  /** Between the lines of one route. */
  readonly newline: string
  readonly table: boolean
  readonly via: boolean
  readonly dev: boolean
  readonly protocol: boolean
  readonly scope: boolean
}

const HIDDEN_METRIC = 0

/** As `ip route` lists it, with the end of the line. */
export function formatRoute(entry: RouteEntry, links: Links, names: Names, shown: Shown): string {
  const six = entry.network.length === 4
  const { hops, source, metric } = entry
  const single = hops.length === 1 ? hops[0] : undefined
  const words = [
    (entry.type !== type.UNICAST || shown.details) && type.TYPE_NAMES[entry.type],
    formatDestination(entry),
    shown.via && single?.via && `via ${formatWords(single.via)}`,
    shown.dev && deviceOf(entry, links) && `dev ${deviceOf(entry, links)}`,
    shown.table && (entry.table !== TABLE_MAIN || shown.details) && `table ${names.tables.name(entry.table)}`,
    shown.protocol && (entry.protocol !== PROTOCOL_BOOT || shown.details) && `proto ${protocolNameOf(entry.protocol)}`,
    shown.scope && (entry.scope !== SCOPE_GLOBAL || shown.details) && `scope ${scopeNameOf(entry.scope)}`,
    source && `src ${formatWords(source)}`,
    (six || metric !== HIDDEN_METRIC) && `metric ${metric}`,
    single?.onLink && 'onlink',
    entry.mtu !== 0 && `mtu ${entry.mtuLocked ? 'lock ' : ''}${entry.mtu}`,
    entry.advmss !== 0 && `advmss ${entry.advmss}`,
  ].filter(Boolean)
  const line = six ? [...words, 'pref medium'].join(' ') : `${words.join(' ')} `
  const ways = hops.length < 2 ? [] : hops.map((hop) => `${shown.newline}\tnexthop ${formatHop(hop, links)} `)
  return `${line}${ways.join('')}\n`
}

function formatHop({ via, link, weight, onLink }: Hop, links: Links): string {
  const words = [via && `via ${formatWords(via)}`, `dev ${links.name(link)}`, `weight ${weight}`, onLink && 'onlink']
  return words.filter(Boolean).join(' ')
}

export function formatDestination({ network, prefixLength }: Pick<RouteEntry, 'network' | 'prefixLength'>): string {
  if (prefixLength === 0) return 'default'
  const text = formatWords(network)
  return prefixLength === BITS[network.length === 1 ? 4 : 6] ? text : `${text}/${prefixLength}`
}

/** IPv6's routes that lead nowhere do so by the loopback device. */
function deviceOf({ hops, network }: RouteEntry, links: Links): string | undefined {
  if (hops.length === 1) return links.name(hops[0].link)
  return hops.length === 0 && network.length === 4 ? links.name(LOOPBACK) : undefined
}

/** As `ip -j route` has it. */
export function routeJson(entry: RouteEntry, links: Links, names: Names, shown: Shown): Record<string, unknown> {
  const six = entry.network.length === 4
  const { hops, source, mtu, advmss, metric } = entry
  const single = hops.length === 1 ? hops[0] : undefined
  const dev = deviceOf(entry, links)
  const metrics = { ...(mtu !== 0 && { mtu }), ...(advmss !== 0 && { advmss }) }
  return {
    ...((entry.type !== type.UNICAST || shown.details) && { type: type.TYPE_NAMES[entry.type] }),
    dst: formatDestination(entry),
    ...(shown.via && single?.via && { gateway: formatWords(single.via) }),
    ...(shown.dev && dev && { dev }),
    ...(shown.table && (entry.table !== TABLE_MAIN || shown.details) && { table: names.tables.name(entry.table) }),
    ...(shown.protocol &&
      (entry.protocol !== PROTOCOL_BOOT || shown.details) && { protocol: protocolNameOf(entry.protocol) }),
    ...(shown.scope && (entry.scope !== SCOPE_GLOBAL || shown.details) && { scope: scopeNameOf(entry.scope) }),
    ...(source && { prefsrc: formatWords(source) }),
    ...((six || metric !== HIDDEN_METRIC) && { metric }),
    flags: single?.onLink ? ['onlink'] : [],
    ...(Object.keys(metrics).length > 0 && { metrics: [metrics] }),
    ...(six && { pref: 'medium' }),
    ...(hops.length > 1 && {
      nexthops: hops.map(({ via, link, weight, onLink }) => ({
        ...(via && { gateway: formatWords(via) }),
        dev: links.name(link),
        weight,
        flags: onLink ? ['onlink'] : [],
      })),
    }),
  }
}
