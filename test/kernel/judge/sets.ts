// The sets that rules look up and fill: one of each kind for each family, with members from the network.

import type { Chance } from './chance.ts'
import type { World } from './network.ts'

interface Kind {
  readonly name: string
  readonly create: string
  /** How many directions a rule names. */
  readonly parts: number
  /** A member, in ipset's words. */
  member(chance: Chance, world: World): string
}

const host = (chance: Chance, { hosts, own }: World) => chance.pick([...hosts.map(({ address }) => address), ...own])
const port = (chance: Chance, { ports }: World) => `${chance.pick(['tcp', 'udp'])}:${chance.pick(ports)}`
const net = (chance: Chance, { networks }: World) => chance.pick(networks)
const small = (chance: Chance, world: World) => `${host(chance, world)}/${world.family === 4 ? 30 : 126}`

const KINDS: readonly Kind[] = [
  { name: 'ip', create: 'hash:ip counters', parts: 1, member: host },
  {
    name: 'net',
    create: 'hash:net counters',
    parts: 1,
    member: (chance, world) =>
      chance.pick([net(chance, world), `${small(chance, world)}${chance.pick(['', ' nomatch'])}`]),
  },
  { name: 'ipport', create: 'hash:ip,port counters', parts: 2, member: (c, w) => `${host(c, w)},${port(c, w)}` },
  { name: 'three', create: 'hash:ip,port,ip', parts: 3, member: (c, w) => `${host(c, w)},${port(c, w)},${host(c, w)}` },
  { name: 'netport', create: 'hash:net,port counters', parts: 2, member: (c, w) => `${net(c, w)},${port(c, w)}` },
  {
    name: 'iface',
    create: 'hash:net,iface counters',
    parts: 2,
    member: (c, w) => `${net(c, w)},${c.pick(w.devices)}`,
  },
  { name: 'skb', create: 'hash:ip skbinfo', parts: 1, member: (c, w) => `${host(c, w)} skbmark 0x${c.below(8)}/0xf` },
]
const LIST = 'all'

/** Sets that `--map-set` may name, and those that SET may change. */
export const MAPPED = ['skb']
export const CHANGED = ['ip', 'ipport', 'three', 'netport']

const nameOf = (name: string, { family }: World) => `${name}${family}`

/** ipset restore's text for all sets of a family, with random members. */
export function setsText(chance: Chance, world: World): string {
  const lines: string[] = []
  for (const { name, create, member } of KINDS) {
    lines.push(
      `create ${nameOf(name, world)} ${create} family ${world.family === 4 ? 'inet' : 'inet6'}`.replace(
        /^(create \S+ \S+)(.*)( family \S+)$/,
        '$1$3$2',
      ),
    )
    const members = new Set<string>()
    for (let n = chance.between(0, 4); n > 0; n--) members.add(member(chance, world))
    for (const each of new Map([...members].map((text) => [text.split(' ')[0], text])).values())
      lines.push(`add -exist ${nameOf(name, world)} ${each}`)
  }
  lines.push(`create ${nameOf(LIST, world)} list:set counters`)
  for (const name of chance.some(['ip', 'net'])) lines.push(`add ${nameOf(LIST, world)} ${nameOf(name, world)}`)
  return `${lines.join('\n')}\n`
}

/** A set and its directions, as rules write them: `ipport4 src,dst`. */
export function setReference(
  chance: Chance,
  world: World,
  names: readonly string[] = [...KINDS.map(({ name }) => name), LIST],
): string {
  const name = chance.pick(names)
  const parts = KINDS.find((kind) => kind.name === name)?.parts ?? 1
  const directions = Array.from({ length: parts }, () => chance.pick(['src', 'dst']))
  return `${nameOf(name, world)} ${directions.join(',')}`
}
