// A use of a match or target, made from its declaration: what must be given, at least one of what one must be given of, none of what
// excludes each other, and some of the rest, with values that mean something to the network's packets (matches.ts, targets.ts).

import type { AnyDeclaration } from '../../../src/iptables/registry.ts'
import { parseRestore } from '../../../src/iptables/restore.ts'
import type { Chance } from './chance.ts'
import type { World } from './network.ts'

/** Makes an option's value. */
export type Values = (chance: Chance, world: World) => string

export interface Uses {
  /** How often it is chosen beside others; 2 when left out. */
  readonly weight?: number
  /** Values by option: an option that is not named here is never given. */
  readonly options: Readonly<Record<string, Values>>
  /** Options that are always given. */
  readonly always?: readonly string[]
  /** The rule's protocol has to be one of these, where it makes sense for no other. */
  readonly protocols?: readonly number[]
}

/** One of these. */
export const of =
  (...texts: readonly (string | number)[]): Values =>
  (chance) =>
    String(chance.pick(texts))

/** For an option without a value. */
export const flag: Values = () => ''

/** Some of these, in their order. */
export const list =
  (...texts: readonly string[]): Values =>
  (chance) =>
    chance.some(texts).join(',')

export const port: Values = (chance, { ports }) => String(chance.pick(ports))
export const ports: Values = (chance, { ports: all }) => {
  const [a, b] = [chance.pick(all), chance.pick(all)]
  return chance.once(3) ? `${Math.min(a, b)}:${Math.max(a, b)}` : String(a)
}

export const address: Values = (chance, { hosts, own }) => chance.pick([...hosts.map((host) => host.address), ...own])

const MASKS = {
  4: ['', '', '/24', '/30', '/8', '/255.255.0.255'],
  6: ['', '', '/64', '/126', '/32', '/ffff:ffff:ffff::ff'],
} as const

/** An address with or without a mask. */
export const masked: Values = (chance, world) => `${address(chance, world)}${chance.pick(MASKS[world.family])}`
/** The same with a length for a mask. */
export const prefixed: Values = (chance, world) =>
  `${address(chance, world)}${chance.pick(MASKS[world.family].slice(0, -1))}`

export const device: Values = (chance, { devices }) => chance.pick([...devices, 'tun+', 'lo'])

const TRIES = 20

/** What a use stands in: whether it may stand there is asked from the declaration's own parser. */
export interface Place {
  readonly table: string
  /** The built-in chain, or a user's. */
  readonly chain: string
  /** The rule's words before it. */
  readonly before: string
}

/** `-m name ...`, or undefined where nothing was found that may stand there. */
export function use(
  declaration: AnyDeclaration,
  { options: values, always = [] }: Uses,
  chance: Chance,
  world: World,
  place: Place,
): string | undefined {
  const { kind, name, options, exclusive = [], anyOf } = declaration
  const known = Object.keys(values).filter((option) => options[option] !== undefined)
  for (let n = 0; n < TRIES; n++) {
    const given = new Set<string>()
    const fits = (option: string) =>
      !exclusive.some((group) => group.includes(option) && group.some((other) => other !== option && given.has(other)))
    for (const option of known) if (options[option]!.traits.isRequired || always.includes(option)) given.add(option)
    const needed = anyOf?.filter((option) => known.includes(option)) ?? []
    if (needed.length > 0) given.add(chance.pick(needed))
    // Few, so that packets are there that match all of them.
    for (let extra = chance.pick([0, 0, 0, 1, 1, 2, 3]); extra > 0 && known.length > 0; extra--) {
      const option = chance.pick(known)
      if (fits(option)) given.add(option)
    }
    if (given.size === 0 && known.length > 0) given.add(chance.pick(known))
    const words = [...given].map((option) => {
      const value = values[option]!(chance, world)
      const not = options[option]!.traits.negated && chance.once(5) ? '! ' : ''
      return `${not}--${option}${value === '' ? '' : ` ${value}`}`
    })
    const text = [kind === 'match' ? `-m ${name}` : `-j ${name}`, ...words].join(' ')
    if (stands(world, place, text)) return text
  }
  return undefined
}

function stands({ family }: World, { table, chain, before }: Place, text: string): boolean {
  try {
    const user = /^[A-Z]/.test(chain) ? '' : `:${chain} - [0:0]\n`
    parseRestore(`*${table}\n${user}-A ${chain} ${before} ${text}\nCOMMIT\n`, { file: '', family })
    return true
  } catch {
    return false
  }
}
