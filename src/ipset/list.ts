// Sets as text: as `list` prints them (plain, XML), as `save` does, and as JSON in the form that later versions of ipset have
// (7.17 has none). Byte for byte like ipset 7.17, but for the size in memory, which is what the set takes here, and the order
// of a hash's members, which is the hash's.

import { WITH_COMMENT, WITH_COUNTERS, WITH_SKBINFO, WITH_TIMEOUT } from './extensions.ts'
import type { Listed } from './set.ts'
import { header, type Settings } from './settings.ts'
import type { SetSlot } from './slot.ts'
import type { SetStore } from './store.ts'

export const OUTPUT_MODES = ['plain', 'save', 'xml', 'json'] as const
export type OutputMode = (typeof OUTPUT_MODES)[number]

export interface ListOptions {
  readonly mode: OutputMode
  /** Names alone. */
  readonly name?: boolean
  /** Headers without members. */
  readonly terse?: boolean
  readonly sorted?: boolean
  /** What is written for an address. */
  readonly nameOf?: ((address: string) => string) | undefined
  /** With what ipset takes and does not print (forceadd): for a file to be read again here. */
  readonly complete?: boolean
}

/** Places that are looked at for members that have ended, at a time. */
const COLLECT_PLACES = 8192

/** In pieces of a line or less, so that who prints a large set can do other things between. */
export function* listSets(store: SetStore, slots: readonly SetSlot[], options: ListOptions): Generator<string> {
  const { mode, name = false } = options
  if (mode === 'xml') yield '<ipsets>\n'
  if (mode === 'json') yield '[\n'
  for (const [i, slot] of slots.entries()) {
    // What has ended is not counted, and not listed.
    if (!name) while (!slot.set.collect(COLLECT_PLACES)) yield ''
    if (mode === 'json') yield* jsonSet(slot, store.references(slot), options, i === slots.length - 1)
    else if (name) yield mode === 'xml' ? `<ipset name="${slot.name}"/>\n` : `${slot.name}\n`
    else if (mode === 'xml') yield* xmlSet(slot, store.references(slot), options)
    else if (mode === 'save') yield* saveSet(slot, options)
    else {
      if (i > 0) yield '\n'
      yield* plainSet(slot, store.references(slot), options)
    }
  }
  if (mode === 'xml') yield '</ipsets>\n'
  if (mode === 'json') yield ']\n'
}

function headerText(settings: Settings, complete = false): string {
  return header(settings, complete)
    .map(([name, value]) => (value === '' ? name : `${name} ${value}`))
    .join(' ')
}

function* plainSet({ name, set }: SetSlot, references: number, options: ListOptions): Generator<string> {
  const { settings } = set
  const { type } = settings
  yield `Name: ${name}\nType: ${type.name}\nRevision: ${type.revision}\nHeader: ${headerText(settings)}\n`
  yield `Size in memory: ${set.byteLength}\nReferences: ${references}\nNumber of entries: ${set.count}\n`
  if (options.terse) return
  yield 'Members:\n'
  for (const member of set.members(options)) yield member === undefined ? '' : `${memberText(member, settings)}\n`
}

function* saveSet({ name, set }: SetSlot, options: ListOptions): Generator<string> {
  const { settings } = set
  yield `create ${name} ${settings.type.name} ${headerText(settings, options.complete)}\n`
  for (const member of set.members(options))
    yield member === undefined ? '' : `add ${name} ${memberText(member, settings)}\n`
}

function memberText(member: Listed, settings: Settings): string {
  let text = member.text
  for (const [name, value] of memberOptions(member, settings)) text += value === '' ? ` ${name}` : ` ${name} ${value}`
  return text
}

/** What stands behind a member, in order; '' where there is no value. */
function* memberOptions(member: Listed, { kinds }: Settings): Generator<[string, string]> {
  const { extensions, place } = member
  if ((kinds & WITH_TIMEOUT) !== 0) yield ['timeout', String(member.timeout)]
  if (member.nomatch) yield ['nomatch', '']
  if (member.wildcard) yield ['wildcard', '']
  if (extensions === undefined) return
  if ((kinds & WITH_COUNTERS) !== 0) {
    yield ['packets', String(extensions.packets(place))]
    yield ['bytes', String(extensions.bytes(place))]
  }
  if ((kinds & WITH_COMMENT) !== 0) {
    const comment = extensions.comments?.get(place)
    if (comment !== undefined) yield ['comment', `"${comment}"`]
  }
  if ((kinds & WITH_SKBINFO) === 0) return
  const [mark, mask] = [extensions.mark(place), extensions.markMask(place)]
  if (mark !== 0 || mask !== 0) yield ['skbmark', mask === -1 ? hex(mark) : `${hex(mark)}/${hex(mask)}`]
  const priority = extensions.priority(place)
  if (priority !== 0) yield ['skbprio', `${(priority >>> 16).toString(16)}:${(priority & 0xffff).toString(16)}`]
  const queue = extensions.queue(place)
  if (queue !== 0) yield ['skbqueue', String(queue)]
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`
}

function* xmlSet({ name, set }: SetSlot, references: number, options: ListOptions): Generator<string> {
  const { settings } = set
  const { type } = settings
  const pairs = header(settings).map(([option, value]) => element(option, value))
  yield `<ipset name="${name}">\n<type>${type.name}</type>\n<revision>${type.revision}</revision>\n`
  yield `<header>${pairs.join('')}\n<memsize>${set.byteLength}</memsize>\n<references>${references}</references>\n`
  yield `<numentries>${set.count}</numentries>\n</header>\n`
  if (!options.terse) {
    yield '<members>\n'
    for (const member of set.members(options)) {
      if (member === undefined) {
        yield ''
        continue
      }
      let text = element('elem', member.text)
      for (const [option, value] of memberOptions(member, settings)) text += element(option, value)
      yield `<member>${text}</member>\n`
    }
    yield '</members>\n'
  }
  yield '</ipset>\n'
}

function element(name: string, value: string): string {
  return value === '' ? `<${name}/>` : `<${name}>${value}</${name}>`
}

function* jsonSet({ name, set }: SetSlot, references: number, options: ListOptions, last: boolean): Generator<string> {
  const { settings } = set
  const { type } = settings
  const end = last ? '  }\n' : '  },\n'
  if (options.name) {
    yield `  { "name" : ${JSON.stringify(name)} }${last ? '' : ','}\n`
    return
  }
  yield `  {\n    "name" : ${JSON.stringify(name)},\n    "type" : "${type.name}",\n    "revision" : ${type.revision},\n`
  yield '    "header" : {\n'
  for (const [option, value] of header(settings)) yield `      "${option}" : ${json(option, value)},\n`
  yield `      "memsize" : ${set.byteLength},\n      "references" : ${references},\n      "numentries" : ${set.count}\n    }`
  if (!options.terse) {
    yield ',\n    "members" : [\n'
    let before = ''
    for (const member of set.members(options)) {
      if (member === undefined) {
        yield ''
        continue
      }
      let text = `${before}      {\n        "elem" : ${JSON.stringify(member.text)}`
      for (const [option, value] of memberOptions(member, settings))
        text += `,\n        "${option}" : ${json(option, value)}`
      yield text
      before = '\n      },\n'
    }
    yield before === '' ? '    ]' : '\n      }\n    ]'
  }
  yield `\n${end}`
}

/** Counters above 2^53 are numbers too, in JSON's grammar; what reads them may round. */
function json(option: string, value: string): string {
  if (value === '') return 'true'
  if (option === 'comment') return JSON.stringify(value.slice(1, -1))
  return /^\d+$/.test(value) ? value : JSON.stringify(value)
}
