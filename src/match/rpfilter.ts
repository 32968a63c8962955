// Match rpfilter (ipt_rpfilter): would an answer to the packet's source go out by the device that it came in on? The routing
// tables here do not look at marks, so --validmark makes no difference.

import { LOOPBACK } from '../device/link.ts'
import type { Packet } from '../packet/packet.ts'
import type { Routing } from '../route/routing.ts'
import * as type from '../route/type.ts'
import { defineMatch } from '../rule/define.ts'
import { words } from '../rule/listing.ts'
import { flag } from '../rule/option.ts'
import { BROADCAST_ADDRESS } from '../wire/ipv4.ts'

export const rpfilter = defineMatch({
  name: 'rpfilter',
  summary: 'answers would go back the way that the packet came',
  families: [4],
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
  match: (o, { routing }) => {
    const hit = o.invert ? 0 : 1
    const loose = o.loose === true
    const acceptLocal = o['accept-local'] === true
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
