// Targets NOTRACK and CT (xt_CT): what conntrack is told of a packet before it sees it. The first of them that a packet meets
// counts; one that was told something already, or that has a flow (a loopback packet on its way in), is left as it is. What a
// flow is told holds for all of it.

import * as event from '../conntrack/events.ts'
import { HELPER_NAMES, helperNumber, helpersOf } from '../conntrack/helper/index.ts'
import { ZONE_MARK, ZONE_ORIGINAL, ZONE_REPLY } from '../conntrack/record.ts'
import { TunfilterError } from '../errors.ts'
import { CT_UNTRACKED, NO_FLOW, type Packet } from '../packet/packet.ts'
import { CONTINUE, defineTarget, NotTaken } from '../rule/define.ts'
import { protocolName } from '../rule/names.ts'
import { isNumber, parseNumber } from '../rule/number.ts'
import { flag, Problem, shown, text, unexpected, word } from '../rule/option.ts'

function isTold(p: Packet): boolean {
  return p.ct !== NO_FLOW || p.ctinfo === CT_UNTRACKED || p.zone !== 0 || p.template !== 0
}

export const notrack = defineTarget({
  name: 'NOTRACK',
  summary: 'the packet is not tracked',
  tables: ['raw'],
  terminal: false,
  options: {},
  listedAs: 'CT',
  list: () => 'NOTRACK',
  target: (_, { conntrack }) => {
    return (p) => {
      if (!isTold(p)) conntrack.untrack(p)
      return CONTINUE
    }
  },
})

const EXPECTS_ZONE = 'a zone from 0 to 65535, or mark'

/** A zone's number, or `mark`. */
const zone = word<number | 'mark'>(
  EXPECTS_ZONE,
  (given) => {
    if (given.toLowerCase() === 'mark') return 'mark'
    const number = parseNumber(given, 0xffff)
    if (number !== undefined) return number
    return isNumber(given)
      ? new Problem(`${shown(given)} is out of range: expected ${EXPECTS_ZONE}`)
      : unexpected(given, EXPECTS_ZONE)
  },
  String,
)

/** Names of events that listeners hear of, joined by commas, as the sum of their bits; saved in this order. */
function events(bits: Readonly<Record<string, number>>) {
  const expects = `one or more of ${Object.keys(bits).join(',')}, joined by commas`
  return word<number>(
    expects,
    (given) => {
      let sum = 0
      for (const name of given.split(',')) {
        if (!Object.hasOwn(bits, name)) return unexpected(name === '' ? given : name, expects)
        sum |= bits[name]
      }
      return sum
    },
    (value) =>
      Object.keys(bits)
        .filter((name) => (value & bits[name]) !== 0)
        .join(','),
  )
}

const flowEvents = events({
  new: event.NEW,
  related: event.RELATED,
  destroy: event.DESTROY,
  reply: event.REPLY,
  assured: event.ASSURED,
  protoinfo: event.PROTOINFO,
  helper: event.HELPER,
  mark: event.MARK,
  natseqinfo: event.SEQADJ,
  secmark: event.SECMARK,
})
const expectationEvents = events({ new: 1 })

/** Bytes of a helper's name that iptables keeps. */
const HELPER_NAME = 15

/** A helper's name, or nothing. */
const helper = word<string>(
  `a connection helper: ${HELPER_NAMES.join(', ')}`,
  (given) => given.slice(0, HELPER_NAME),
  String,
)

const options = {
  notrack: flag().help('the packet is not tracked, whatever else is said'),
  helper: helper.default('').help('the connection helper that reads what the flow announces'),
  timeout: text({ min: 1, max: 31 }).help("the timeout policy of the configuration by which the flow's timeouts are"),
  ctevents: flowEvents.help('the events of the flow that listeners are told'),
  expevents: expectationEvents.help('the events of its expectations that listeners are told'),
  zone: zone.default(0).help('the zone, which separates equal addresses'),
  'zone-orig': zone.default(0).help('the same for the original direction alone'),
  'zone-reply': zone.default(0).help('the same for the reply direction alone'),
}

export const ct = defineTarget({
  name: 'CT',
  summary: 'how the packet is tracked: not at all, or in a zone, with what timeouts and events',
  tables: ['raw'],
  terminal: false,
  // Not to be tracked is no reason to track.
  conntrackFor: (o) => o.notrack === undefined,
  options,
  exclusive: [
    ['zone', 'zone-orig'],
    ['zone', 'zone-reply'],
    ['zone-orig', 'zone-reply'],
  ],
  check: (o, { family, protocol }) => {
    if (o.notrack !== undefined) return undefined
    if (o.timeout !== undefined && protocol === undefined)
      return new NotTaken('tables', "a timeout policy is one protocol's: expected -p")
    // Linux has helpers that are not here: they are refused as those are that nobody has.
    if (o.helper === '' || helperNumber(o.helper, family, protocol) !== 0) return undefined
    const where = `for ${protocol === undefined ? 'every protocol' : protocolName(protocol)} of IPv${family}`
    return new NotTaken(
      'missing',
      `No such helper "${o.helper}" ${where}: expected one of ${helpersOf(family, protocol)}`,
    )
  },
  list: (o) => {
    const words = ['CT']
    if (o.notrack) words.push('notrack')
    if (o.helper !== '') words.push(`helper ${o.helper}`)
    if (o.timeout !== undefined) words.push(`timeout ${o.timeout}`)
    if (o.ctevents !== undefined) words.push(`ctevents ${flowEvents.kind.format(o.ctevents)}`)
    if (o.expevents !== undefined) words.push(`expevents ${expectationEvents.kind.format(o.expevents)}`)
    for (const name of ['zone', 'zone-orig', 'zone-reply'] as const) if (o[name] !== 0) words.push(`${name} ${o[name]}`)
    return words.join(' ')
  },
  target: (o, { conntrack }, { family, protocol = 0 }) => {
    if (o.notrack)
      return (p) => {
        if (!isTold(p)) conntrack.untrack(p)
        return CONTINUE
      }
    const policy = o.timeout === undefined ? 0 : conntrack.timeouts.find(o.timeout, protocol)
    if (o.timeout !== undefined && policy <= 0)
      throw new TunfilterError(
        'ERR_TIMEOUT_POLICY',
        `CT --timeout ${o.timeout}: there is no such policy for ${protocolName(protocol)}: expected one of the configuration's timeouts`,
      )
    const direction = o['zone-orig'] !== 0 ? ZONE_ORIGINAL : o['zone-reply'] !== 0 ? ZONE_REPLY : 0
    const which = o['zone-orig'] || o['zone-reply'] || o.zone
    if (o.helper !== '') {
      conntrack.announced.isUsed = true
      // Helpers may make streams longer.
      conntrack.adjusting = true
    }
    const template = conntrack.templates.intern({
      zone: which === 0 ? 0 : direction | (which === 'mark' ? ZONE_MARK : which),
      policy,
      helper: o.helper === '' ? 0 : helperNumber(o.helper, family, protocol),
      events: (o.ctevents ?? 0) | ((o.expevents ?? 0) << 16),
    })
    return (p) => {
      if (!isTold(p)) conntrack.templates.assign(p, template)
      return CONTINUE
    }
  },
})
