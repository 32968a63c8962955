// `ip route get`: where a packet would go, by a real look-up.

import { LOOPBACK } from '../../device/link.ts'
import { Packet } from '../../packet/packet.ts'
import { REASON } from '../../packet/reason.ts'
import { Slab } from '../../packet/slab.ts'
import * as ip from '../../wire/ipv4.ts'
import * as ipv6 from '../../wire/ipv6.ts'
import { type Words as Address, PROTOCOL_BOOT, type RouteEntry, TABLE_MAIN } from '../entry.ts'
import type { FlowKey } from '../key.ts'
import { ROUTED } from '../routing.ts'
import * as type from '../type.ts'
import { protocolNameOf, tosOf } from './names.ts'
import { type Family, formatWords, prefixOf } from './prefix.ts'
import { type How, type IpRouter, linkOf } from './router.ts'
import { answered, IpFault, numberOf, Words, wrongArgument } from './words.ts'

interface Question {
  to: Address
  from?: Address
  iif?: number
  oif?: number
  mark: number
  tos: number
  protocol: number
  sport: number
  dport: number
}

export function getRoute(router: IpRouter, args: readonly string[], family: Family, how: How): string {
  const asked = question(router, new Words(args), family)
  const words = family === 4 ? answer4(router, asked) : answer6(router, asked)
  if (!how.json) return words.text
  return `${JSON.stringify([words.json])}\n`
}

function question(router: IpRouter, words: Words, family: Family): Question {
  let to: Address | undefined
  const asked: Omit<Question, 'to'> = { mark: 0, tos: 0, protocol: 0, sport: 0, dport: 0 }
  const number = () => {
    const word = words.next()
    const value = numberOf(word)
    if (value === undefined) throw wrongArgument(word, 'invalid number\n')
    return value
  }
  while (!words.done) {
    const word = words.next()
    switch (word) {
      case 'from':
        asked.from = prefixOf(words.next(), family).network
        break
      case 'iif':
        asked.iif = linkOf(router, words.next())
        break
      case 'oif':
      case 'dev':
        asked.oif = linkOf(router, words.next())
        break
      case 'mark':
        asked.mark = number() | 0
        break
      case 'tos':
      case 'dsfield':
        asked.tos = tosOf(words.next()) ?? 0
        break
      case 'ipproto': {
        const name = words.next()
        asked.protocol = numberOf(name) ?? router.names.protocolNumber(name) ?? 0
        break
      }
      case 'sport':
        asked.sport = number()
        break
      case 'dport':
        asked.dport = number()
        break
      default:
        to = prefixOf(word === 'to' ? words.next() : word, family).network
    }
  }
  if (to === undefined) throw new IpFault('need at least a destination address\n', 1)
  return { to, ...asked }
}

interface Answer {
  readonly text: string
  readonly json: object
}

/** The errors of look-ups, as the kernel answers them. */
function failure(found: { readonly type: number } | undefined): IpFault {
  switch (found?.type) {
    case type.BLACKHOLE:
      return answered('EINVAL')
    case type.PROHIBIT:
      return answered('EACCES')
    case type.UNREACHABLE:
      return answered('EHOSTUNREACH')
    default:
      return answered('ENETUNREACH')
  }
}

function fill(key: FlowKey, asked: Question): FlowKey {
  key.mark = asked.mark
  if (asked.oif !== undefined) key.outLink = asked.oif
  return key.as(asked.protocol, asked.tos, asked.sport, asked.dport)
}

function words(parts: readonly (string | false | undefined)[]): string {
  return parts.filter(Boolean).join(' ')
}

function answer4(router: IpRouter, asked: Question): Answer {
  const { routing, links } = router
  const [to] = asked.to
  const from = asked.from?.[0] ?? 0
  let entry: RouteEntry | undefined
  if (asked.iif === undefined) {
    const key = fill(routing.key.to(to).from(from), asked)
    const found = routing.find(key)
    if (!routing.output(key)) throw failure(found)
    entry = found?.entry
  } else {
    const said = routing.input(packetOf(asked, 4))
    if (said === REASON['reverse-path']) throw new IpFault('RTNETLINK answers: Invalid cross-device link\n', 2)
    if (said === REASON['not-forwarding']) throw answered('EHOSTUNREACH')
    if (said !== ROUTED) throw said === REASON['no-route'] ? answered('ENETUNREACH') : failure(routing)
  }
  const kind = routing.type
  const local = kind !== type.UNICAST
  const via = routing.nexthop !== to && !local
  const dev = local && asked.iif !== undefined ? links.name(LOOPBACK) : links.name(routing.link)
  const source = asked.iif === undefined && from === 0 ? routing.preferredSource : 0
  const table = entry === undefined || entry.table === TABLE_MAIN || !routing.rules.touched ? undefined : entry.table
  const tableName = table === undefined ? undefined : router.names.tables.name(table)
  const flags = [local && 'local', kind === type.BROADCAST && 'brd', kind === type.MULTICAST && 'mc'].filter(Boolean)
  const mtu = entry?.mtu ? `mtu ${entry.mtuLocked ? 'lock ' : ''}${entry.mtu}` : undefined
  const first = words([
    local && type.TYPE_NAMES[kind],
    formatWords(asked.to),
    asked.from && `from ${formatWords(asked.from)}`,
    via && `via ${formatWords([routing.nexthop])}`,
    `dev ${dev}`,
    tableName && `table ${tableName}`,
    source !== 0 && `src ${formatWords([source])}`,
    asked.mark !== 0 && `mark ${formatMark(asked.mark)}`,
    asked.iif === undefined && 'uid 0',
  ])
  const second = words([
    'cache',
    flags.length > 0 && `<${flags.join(',')}>`,
    mtu,
    asked.iif !== undefined && `iif ${links.name(asked.iif)}`,
  ])
  return {
    text: `${first} \n    ${second} \n`,
    json: {
      ...(local && { type: type.TYPE_NAMES[kind] }),
      dst: formatWords(asked.to),
      ...(asked.from && { from: formatWords(asked.from) }),
      ...(via && { gateway: formatWords([routing.nexthop]) }),
      dev,
      ...(tableName && { table: tableName }),
      ...(source !== 0 && { prefsrc: formatWords([source]) }),
      ...(asked.mark !== 0 && { mark: asked.mark >>> 0 }),
      flags: [],
      ...(asked.iif === undefined && { uid: 0 }),
      cache: flags,
      ...(asked.iif !== undefined && { iif: links.name(asked.iif) }),
    },
  }
}

function formatMark(mark: number): string {
  return mark >>> 0 >= 16 ? `0x${(mark >>> 0).toString(16)}` : String(mark)
}

function answer6(router: IpRouter, asked: Question): Answer {
  const { routing6, links, names } = router
  const p = packetOf(asked, 6)
  const [a, b, c, d] = asked.to
  const key = fill(routing6.key.to6(a, b, c, d), asked)
  if (asked.from !== undefined) key.from6(asked.from[0], asked.from[1], asked.from[2], asked.from[3])
  if (asked.iif !== undefined) key.inLink = asked.iif
  const found = routing6.find(key)
  if (!routing6.output(p, key)) throw failure(found)
  const entry = found?.entry
  const via =
    sameAddress(p, asked.to) || p.routeType !== type.UNICAST
      ? undefined
      : [p.nexthop, p.nexthop1, p.nexthop2, p.nexthop3]
  const own = asked.from === undefined && asked.iif === undefined
  const source = own ? (routing6.source ?? routing6.selectSource(p.outLink, asked.to)) : undefined
  const metric = entry?.metric ?? 0
  const { table = TABLE_MAIN, protocol = PROTOCOL_BOOT, mtu = 0 } = entry ?? {}
  const parts: [string, unknown, string][] = [
    ['from', asked.from === undefined ? '::' : formatWords(asked.from), 'from'],
    ['gateway', via && formatWords(via), 'via'],
    ['dev', links.name(p.outLink), 'dev'],
    ['table', table === TABLE_MAIN ? undefined : names.tables.name(table), 'table'],
    ['protocol', protocol === PROTOCOL_BOOT ? undefined : protocolNameOf(protocol), 'proto'],
    ['prefsrc', source && formatWords(source), 'src'],
    ['mark', asked.mark === 0 ? undefined : formatMark(asked.mark), 'mark'],
    ['metric', metric, 'metric'],
    ['iif', asked.iif === undefined ? undefined : links.name(asked.iif), 'iif'],
    ['mtu', mtu || undefined, 'mtu'],
    ['pref', 'medium', 'pref'],
  ]
  const known = parts.filter(([, value]) => value !== undefined)
  const kind = p.routeType === type.UNICAST ? undefined : type.TYPE_NAMES[p.routeType]
  return {
    text: `${words([kind, formatWords(asked.to), ...known.map(([, value, word]) => `${word} ${value}`)])}\n`,
    json: { ...(kind && { type: kind }), dst: formatWords(asked.to), ...Object.fromEntries(known), flags: [] },
  }
}

function sameAddress(p: Packet, [a, b, c, d]: Address): boolean {
  return p.nexthop === a && p.nexthop1 === b && p.nexthop2 === c && p.nexthop3 === d
}

/** A packet as it would come in by the device that is asked about. */
function packetOf(asked: Question, family: Family): Packet {
  const p = new Packet(new Slab(1))
  p.begin(0, family === 4 ? ip.MIN_HEADER : ipv6.HEADER, asked.iif ?? 0)
  p.family = family
  const [a, b = 0, c = 0, d = 0] = asked.to
  Object.assign(p, { destination: a, destination1: b, destination2: c, destination3: d })
  const [e, f = 0, g = 0, h = 0] = asked.from ?? [0]
  Object.assign(p, { source: e, source1: f, source2: g, source3: h })
  Object.assign(p, { mark: asked.mark, protocol: asked.protocol, sport: asked.sport, dport: asked.dport, transport: 1 })
  if (family === 4) p.view.setUint8(ip.TOS, asked.tos)
  return p
}
