// Match rpfilter (ipt_rpfilter, ip6t_rpfilter): would an answer to the packet's source go out by the device that it came in on?

import { LOOPBACK } from '../device/link.ts'
import type { Packet } from '../packet/packet.ts'
import { leavesBy } from '../route/fib.ts'
import type { Routing } from '../route/routing.ts'
import type { Routing6 } from '../route/routing6.ts'
import * as type from '../route/type.ts'
import { defineMatch } from '../rule/define.ts'
import { words } from '../rule/listing.ts'
import { flag } from '../rule/option.ts'
import { BROADCAST_ADDRESS, DSCP, isMulticast, TOS } from '../wire/ipv4.ts'
import { isLinkLocal, isMulticast as isMulticast6, isUnspecified, trafficClass } from '../wire/ipv6.ts'

export const rpfilter = defineMatch({
  name: 'rpfilter',
  summary: 'answers would go back the way that the packet came',
  tables: ['raw', 'mangle'],
  hooks: ['PREROUTING'],
  options: {
    loose: flag().help('any device will do'),
    validmark: flag().help("the packet's mark counts when the way is looked up"),
    'accept-local': flag().help("the router's own addresses are right too"),
    invert: flag().help('they would not'),
  },
  list: (o) =>
    words(
      'rpfilter',
      o.loose && 'loose',
      o.validmark && 'validmark',
      o['accept-local'] && 'accept-local',
      o.invert && 'invert',
    ),
  looks: 'packet',
  match: (o, { routing, routing6 }, { family }) => {
    const hit = o.invert ? 0 : 1
    const wanted = { loose: o.loose === true, acceptLocal: o['accept-local'] === true, marked: o.validmark === true }
    if (family === 6) return (p) => (passes6(p, routing6, wanted) ? hit : 1 - hit)
    return (p) => (passes(p, routing, wanted) ? hit : 1 - hit)
  },
})

interface Wanted {
  readonly loose: boolean
  readonly acceptLocal: boolean
  /** The packet's mark counts. */
  readonly marked: boolean
}

function passes(p: Packet, routing: Routing, o: Wanted): boolean {
  if (p.inLink === LOOPBACK) return true
  // Who has no address yet, and asks all, or a group of this link.
  if (p.source >>> 24 === 0 && (p.destination === BROADCAST_ADDRESS || p.destination >>> 8 === 0xe00000)) return true
  const { destination } = p
  const known = !isMulticast(destination) && destination !== BROADCAST_ADDRESS && destination >>> 24 !== 0
  const key = routing.key.to(p.source).from(known ? destination : 0)
  key.tos = p.view.getUint8(p.start + TOS) & DSCP
  if (o.marked) key.mark = p.mark
  const route = routing.find(key)
  if (route === undefined) return false
  if (route.type !== type.UNICAST && (route.type !== type.LOCAL || !o.acceptLocal)) return false
  return o.loose || leavesBy(route, p.inLink)
}

function passes6(p: Packet, routing: Routing6, o: Wanted): boolean {
  const { source, source1, source2, source3, inLink } = p
  if (inLink === LOOPBACK) return true
  // Who looks whether an address is free has none yet.
  if (isUnspecified(source, source1, source2, source3)) return true
  const key = routing.key.to6(source, source1, source2, source3)
  if (!isMulticast6(p.destination)) key.from6(p.destination, p.destination1, p.destination2, p.destination3)
  key.as(p.protocol, trafficClass(p.view, p.start), 0, 0)
  if (o.marked) key.mark = p.mark
  if (isLinkLocal(source)) key.strict = inLink
  if (key.strict !== 0 || !o.loose) key.outLink = inLink
  const route = routing.find(key)
  if (route === undefined) return false
  if (route.type !== type.UNICAST) return route.type === type.LOCAL && o.acceptLocal
  return o.loose || route.link === inLink || route.paths?.some(({ link }) => link === inLink) === true
}
