// What hosts say through a router, as steps that do not depend on what the router makes of them: a step names a flow and a side, and
// becomes bytes only when the flow's earlier packets have been seen to leave (hosts.ts). So steps can be left out and the rest still
// means something, which is how a disagreement is made small.

import type { Family } from '../../../src/rule/model.ts'
import type { Chance } from './chance.ts'
import { common, hostile, stray } from './hostile.ts'
import { familyOf, type Host, type Network, type World } from './network.ts'
import { TcpTalk } from './talk.ts'

export interface Flow {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'gre' | 'other'
  readonly client: Host
  /** Where the client thinks that the server is. */
  readonly server: string
  readonly sport: number
  readonly dport: number
}

/** In which order fragments come. */
export type Arrangement = 'in order' | 'reversed' | 'first last' | 'twice' | 'one missing'

export interface Split {
  readonly mtu: number
  readonly order: Arrangement
}

export type Step =
  /** A packet of the flow; `words` are what the packet language says behind the ports. */
  | {
      readonly kind: 'say'
      readonly flow: number
      readonly side: 0 | 1
      readonly words: string
      readonly split?: Split
    }
  /** The side that received something of this flow answers with an ICMP error about it. */
  | { readonly kind: 'error'; readonly flow: number; readonly side: 0 | 1; readonly words: string }
  /** A line as it stands. */
  | {
      readonly kind: 'line'
      readonly what: 'stray' | 'hostile'
      readonly family: Family
      readonly device: string
      readonly line: string
    }

export interface Traffic {
  readonly flows: readonly Flow[]
  readonly steps: readonly Step[]
}

/**
 * Not frag-needed and packet-too-big: Linux learns from them how long packets of its own may be, also from other cases, and the
 * engine does not.
 */
const ERRORS: Readonly<Record<Family, readonly string[]>> = {
  4: [
    'port-unreachable',
    'host-unreachable',
    'net-unreachable',
    'time-exceeded',
    'admin-prohibited',
    'parameter-problem ptr 12',
    'source-quench',
    'reassembly-time-exceeded',
  ],
  6: ['port-unreachable', 'addr-unreachable', 'no-route', 'time-exceeded', 'adm-prohibited', 'unknown-header ptr 40'],
}

export function traffic(chance: Chance, net: Network): Traffic {
  const flows = Array.from({ length: chance.between(1, 6) }, () => flow(chance, chance.pick(net.worlds)))
  const steps: Step[] = []
  const tcp = flows.map((each) => new TcpTalk(chance, () => common(chance, familyOf(each.server))))
  for (let n = chance.between(20, 100); n > 0; n--) {
    const at = chance.below(flows.length)
    const { protocol, server } = flows[at]!
    const family = familyOf(server)
    const world = net.worlds.find((each) => each.family === family)!
    if (chance.once(14)) steps.push(stray(chance, world))
    else if (chance.once(25)) steps.push(hostile(chance, world))
    else if (chance.once(12)) {
      const side = chance.once(4) ? 0 : 1
      steps.push({ kind: 'error', flow: at, side, words: chance.pick(ERRORS[family]) })
    } else if (protocol === 'tcp') steps.push({ kind: 'say', flow: at, ...tcp[at]!.next() })
    else steps.push({ kind: 'say', flow: at, ...datagram(chance, flows[at]!, world) })
  }
  return { flows, steps }
}

function flow(chance: Chance, world: World): Flow {
  const client = chance.pick(world.hosts)
  const server = chance.once(4) ? chance.pick(world.own) : chance.pick(world.hosts).address
  const protocol = chance.pick([
    'tcp',
    'tcp',
    'tcp',
    'tcp',
    'udp',
    'udp',
    'udp',
    'icmp',
    'icmp',
    'gre',
    'other',
  ] as const)
  return { protocol, client, server, sport: chance.pick([...world.ports, 1025]), dport: chance.pick(world.ports) }
}

function datagram(chance: Chance, { protocol, server }: Flow, { own, family }: World) {
  const side: 0 | 1 = chance.once(2) ? 1 : 0
  // An echo reply is cut for the first way that Linux sees for it, also where NAT then gives it another one.
  const whole = protocol === 'icmp' && own.includes(server)
  const length = chance.pick(whole ? [0, 1, 20, 100] : [0, 1, 20, 100, 100, 550, 1400, 3000])
  const text = chance.once(6) ? ' "GET abc"' : ` len ${length}`
  const split =
    length > 1000 && !text.includes('"') && !chance.once(3)
      ? {
          mtu: chance.pick(family === 4 ? [576, 1280, 1500] : [1280, 1400]),
          order: chance.pick([
            'in order',
            'in order',
            'reversed',
            'first last',
            'twice',
            'one missing',
          ] as const satisfies Arrangement[]),
        }
      : undefined
  // A routing header before the fragment header: once conntrack has put the packet together, Linux looks for that header where the
  // fragment header was, and tells the sender that the payload is wrong.
  const rest = split ? common(chance, family).replace(/ rt:\w+/, '') : common(chance, family)
  return { side, words: `${text}${rest}`, ...(split && { split }) }
}
