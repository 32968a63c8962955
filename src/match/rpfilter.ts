// Match rpfilter (ipt_rpfilter, ip6t_rpfilter): would an answer to the packet's source go out by the device that it came in on? The
// routing tables here do not look at marks, so --validmark makes no difference.

import { LOOPBACK } from '../device/link.ts'
import type { Packet } from '../packet/packet.ts'
import type { Routing } from '../route/routing.ts'
import type { Routing6 } from '../route/routing6.ts'
import * as type from '../route/type.ts'
import { defineMatch } from '../rule/define.ts'
import { words } from '../rule/listing.ts'
import { flag } from '../rule/option.ts'
import { BROADCAST_ADDRESS } from '../wire/ipv4.ts'
import { isUnspecified } from '../wire/ipv6.ts'

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
    const loose = o.loose === true
    const acceptLocal = o['accept-local'] === true
    if (family === 6) return (p) => (passes6(p, routing6, loose, acceptLocal) ? hit : 1 - hit)
    return (p) => (passes(p, routing, loose, acceptLocal) ? hit : 1 - hit)
  },
})

function passes(p: Packet, routing: Routing, loose: boolean, acceptLocal: boolean): boolean {
  if (p.inLink === LOOPBACK) return true
  // Who has no address yet, and asks all, or a group of this link.
  if (p.source >>> 24 === 0 && (p.destination === BROADCAST_ADDRESS || p.destination >>> 8 === 0xe00000)) return true
  let { routes } = routing.local
  let found = routing.local.find(p.source)
  if (found < 0) {
    routes = routing.main.routes
    found = routing.main.find(p.source)
  }
  if (found < 0) return false
  const route = routes[found]
  if (route.type !== type.UNICAST && (route.type !== type.LOCAL || !acceptLocal)) return false
  return loose || route.link === p.inLink
}

function passes6(p: Packet, routing: Routing6, loose: boolean, acceptLocal: boolean): boolean {
  const { source, source1, source2, source3, inLink } = p
  if (inLink === LOOPBACK) return true
  // Who looks whether an address is free has none yet.
  if (isUnspecified(source, source1, source2, source3)) return true
  const route = routing.back(source, source1, source2, source3, inLink)
  if (route === undefined) return false
  if (route.type !== type.UNICAST) return route.type === type.LOCAL && acceptLocal
  return loose || route.link === inLink
}
