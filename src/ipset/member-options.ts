// The options behind an element: what a member carries, and for lists where it stands.

import type { Command, Element } from './element.ts'
import { Extras, WITH_COMMENT, WITH_COUNTERS, WITH_SKBINFO, WITH_TIMEOUT } from './extensions.ts'
import { missingArgument, TIMEOUT_MAX, unknownArgument } from './settings.ts'
import { hasNets, type SetType } from './type.ts'
import { bigNumberIn, numberIn, setName, syntax } from './words.ts'

const COMMENT_MAX = 255
const COUNTER_MAX = 2n ** 64n - 2n
const MEMBER_OPTIONS = ['timeout', 'packets', 'bytes', 'comment', 'skbmark', 'skbprio', 'skbqueue']

/** Options of a command and how many words follow each. */
function optionsOf(type: SetType, command: Command): ReadonlyMap<string, number> {
  const key = `${command} ${type.name}`
  let known = made.get(key)
  if (known === undefined) {
    const { structure, parts } = type
    known = new Map()
    if (command === 'add') for (const name of MEMBER_OPTIONS) known.set(name, 1)
    if (structure === 'list') for (const name of ['before', 'after']) known.set(name, 1)
    if (hasNets(type) && command !== 'del') known.set('nomatch', 0)
    if (parts.includes('iface') && command === 'add') known.set('wildcard', 0)
    made.set(key, known)
  }
  return known
}

/** What may stand behind a member that is added, for messages. */
export function memberOptionNames(type: SetType): string {
  return [...optionsOf(type, 'add').keys()].join(', ')
}

const made = new Map<string, Map<string, number>>()

/** Reads the words behind an element into it, and what goes with the member. */
export function readMemberOptions(words: readonly string[], type: SetType, command: Command, element: Element): Extras {
  if (words.length === 0) return new Extras()
  const known = optionsOf(type, command)
  const given: [string, string][] = []
  for (let i = 0; i < words.length; i++) {
    const name = words[i].replace(/^--/, '')
    const count = known.get(name)
    if (count === undefined) throw unknownArgument(words[i])
    if (count === 1 && i + 1 === words.length) throw missingArgument(name)
    given.push([name, count === 1 ? words[++i] : ''])
  }
  const extras = new Extras()
  const seen = new Set<string>()
  for (const [name, value] of given) {
    if (name === 'nomatch') element.nomatch = true
    else if (name === 'wildcard') element.wildcard = true
    else {
      if (seen.has(name)) throw syntax(`${name} already specified`, name)
      seen.add(name)
      if (name === 'before' || name === 'after') {
        if (element.reference !== '')
          throw syntax(
            seen.size > 1 && seen.has(name === 'before' ? 'after' : 'before')
              ? `${name} already specified`
              : 'mixed syntax, before|after option already used',
            name,
          )
        element.reference = setName(value)
        element.before = name === 'before'
      } else readExtra(name, value, extras)
    }
  }
  return extras
}

function readExtra(name: string, value: string, extras: Extras): void {
  switch (name) {
    case 'timeout':
      extras.timeout = numberIn(value, 0, TIMEOUT_MAX)
      extras.given |= WITH_TIMEOUT
      return
    case 'packets':
      ;[extras.packetsHigh, extras.packetsLow] = halves(bigNumberIn(value, 0n, COUNTER_MAX))
      extras.hasPackets = true
      extras.given |= WITH_COUNTERS
      return
    case 'bytes':
      ;[extras.bytesHigh, extras.bytesLow] = halves(bigNumberIn(value, 0n, COUNTER_MAX))
      extras.hasBytes = true
      extras.given |= WITH_COUNTERS
      return
    case 'comment':
      if (value.includes('"')) throw syntax('" character is not permitted in comments', value)
      if (Buffer.byteLength(value) > COMMENT_MAX)
        throw syntax(`Comment is longer than the maximum allowed ${COMMENT_MAX} characters`, value)
      extras.comment = value
      extras.given |= WITH_COMMENT
      return
    case 'skbmark': {
      const found = /^\s*0[xX]([0-9a-fA-F]+)(?:\/0[xX]([0-9a-fA-F]+))?/.exec(value)
      if (found === null) throw syntax('Invalid skbmark format, it should be:  MARK/MASK or MARK (see manpage)', value)
      extras.mark = hexWord(found[1])
      extras.markMask = found[2] === undefined ? -1 : hexWord(found[2])
      break
    }
    case 'skbprio': {
      const found = /^\s*(?:0[xX])?([0-9a-fA-F]+):(?:0[xX])?([0-9a-fA-F]+)/.exec(value)
      if (found === null) throw syntax('Invalid skbprio format, it should be:MAJOR:MINOR (see manpage)', value)
      extras.priority = (hexWord(found[1]) << 16) | (hexWord(found[2]) & 0xffff)
      break
    }
    default:
      extras.queue = numberIn(value, 0, 0xffff)
  }
  extras.given |= WITH_SKBINFO
}

/** 64 bits as two int32 words, the higher first. */
export function halves(value: bigint): [number, number] {
  return [Number(BigInt.asIntN(32, value >> 32n)), Number(BigInt.asIntN(32, value))]
}

/** Too many digits are all ones, as scanf has it. */
function hexWord(digits: string): number {
  const value = Number.parseInt(digits, 16)
  return value > 0xffffffff ? -1 : value | 0
}
