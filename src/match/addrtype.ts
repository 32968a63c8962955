// Match addrtype (xt_addrtype): of which type the routing tables say an address is. With --limit-iface-in or -out only the
// packet's device is asked.

import type { Packet } from '../packet/packet.ts'
import * as type from '../route/type.ts'
import { defineMatch, NotTaken } from '../rule/define.ts'
import { bitNames, flag } from '../rule/option.ts'

const TYPES = {
  UNSPEC: 1 << type.UNSPEC,
  UNICAST: 1 << type.UNICAST,
  LOCAL: 1 << type.LOCAL,
  BROADCAST: 1 << type.BROADCAST,
  ANYCAST: 1 << type.ANYCAST,
  MULTICAST: 1 << type.MULTICAST,
  BLACKHOLE: 1 << type.BLACKHOLE,
  UNREACHABLE: 1 << type.UNREACHABLE,
  PROHIBIT: 1 << type.PROHIBIT,
  THROW: 1 << 9,
  NAT: 1 << 10,
  XRESOLVE: 1 << 11,
}

/** What IPv6's tables never say of an address: the kernel takes no rule that asks for it. */
const NOT_IPV6 = TYPES.BROADCAST | TYPES.BLACKHOLE | TYPES.PROHIBIT | TYPES.THROW | TYPES.NAT | TYPES.XRESOLVE

const types = bitNames(TYPES).negatable()

export const addrtype = defineMatch({
  name: 'addrtype',
  summary: "the type of an address, by the router's own tables",
  options: {
    'src-type': types.help('the source address is of one of these types'),
    'dst-type': types.help('the destination address is of one of these types'),
    'limit-iface-in': flag().help("only the incoming device's addresses count"),
    'limit-iface-out': flag().help("only the outgoing device's addresses count"),
  },
  exclusive: [['limit-iface-in', 'limit-iface-out']],
  anyOf: ['src-type', 'dst-type'],
  hooksFor: (o) => {
    if (o['limit-iface-in']) return ['PREROUTING', 'INPUT', 'FORWARD']
    return o['limit-iface-out'] ? ['FORWARD', 'OUTPUT', 'POSTROUTING'] : undefined
  },
  check: (o, { family }) => {
    const types6 = (o['src-type']?.value ?? 0) | (o['dst-type']?.value ?? 0)
    const asked = types6 & NOT_IPV6
    return family === 6 && asked !== 0
      ? new NotTaken('tables', `no IPv6 address is of type ${types.kind.format(asked)}`)
      : undefined
  },
  list: (o) => {
    const words = ['ADDRTYPE match']
    for (const name of ['src-type', 'dst-type'] as const) {
      const given = o[name]
      if (given !== undefined) words.push(`${name} ${given.not ? '!' : ''}${types.kind.format(given.value)}`)
    }
    if (o['limit-iface-in']) words.push('limit-in')
    if (o['limit-iface-out']) words.push('limit-out')
    return words.join(' ')
  },
  looks: 'packet',
  match: (o, env, { family }) => {
    const source = o['src-type']?.value ?? 0
    const sourceNot = o['src-type']?.not === true
    const destination = o['dst-type']?.value ?? 0
    const destinationNot = o['dst-type']?.not === true
    const byIn = o['limit-iface-in'] === true
    const byOut = o['limit-iface-out'] === true
    const linkOf = (p: Packet) => (byIn ? p.inLink : byOut ? p.outLink : 0)
    const fits = (found: number, asked: number, not: boolean) => (((1 << found) & asked) !== 0) !== not
    if (family === 6) {
      const { routing6 } = env
      const holds = (word0: number, word1: number, word2: number, word3: number, link: number, asked: number) => {
        const found = routing6.addressType(word0, word1, word2, word3, link)
        if (!isOfKind6(found, asked)) return false
        if ((asked & LOOKED_UP6) === 0) return true
        // What cannot be reached is of no other type that is looked up.
        return routing6.isUnreachable(word0, word1, word2, word3, link)
          ? (asked & TYPES.UNREACHABLE) !== 0
          : ((1 << found) & asked & LOOKED_UP6) !== 0
      }
      return (p) => {
        const link = linkOf(p)
        if (source !== 0 && holds(p.source, p.source1, p.source2, p.source3, link, source) === sourceNot) return 0
        if (destination === 0) return 1
        const { destination: word0, destination1, destination2, destination3 } = p
        return holds(word0, destination1, destination2, destination3, link, destination) === destinationNot ? 0 : 1
      }
    }
    return (p) => {
      const link = linkOf(p)
      if (source !== 0 && !fits(env.routing.addressType(p.source, link), source, sourceNot)) return 0
      return destination === 0 || fits(env.routing.addressType(p.destination, link), destination, destinationNot)
        ? 1
        : 0
    }
  },
})

/** What only IPv6's tables tell of an address; any of these that is asked for will do. */
const LOOKED_UP6 = TYPES.LOCAL | TYPES.ANYCAST | TYPES.UNREACHABLE

/** In IPv6 several types have to hold at once: UNICAST, MULTICAST and UNSPEC are kinds of addresses, and an address of the router's is UNICAST too. */
function isOfKind6(found: number, asked: number): boolean {
  const kind = found === type.MULTICAST ? TYPES.MULTICAST : found === type.UNSPEC ? TYPES.UNSPEC : TYPES.UNICAST
  return (asked & (TYPES.UNICAST | TYPES.MULTICAST | TYPES.UNSPEC) & ~kind) === 0
}
