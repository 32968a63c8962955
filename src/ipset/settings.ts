// What a set is created with, read from the words behind `create NAME TYPE`, and printed as the set's header.

import { WITH_COMMENT, WITH_COUNTERS, WITH_SKBINFO, WITH_TIMEOUT } from './extensions.ts'
import { FAMILY as FAMILY_FAULT, faultError, INVALID_CIDR, MARKMASK, NETMASK, NO_MEMORY, SetError } from './fault.ts'
import type { Names } from './names.ts'
import { plainPorts } from './port.ts'
import type { CreateOption, SetType } from './type.ts'
import {
  address,
  bits,
  FAMILY_NAMES,
  formatIp,
  maskWord,
  numberIn,
  prefixLength,
  type SetFamily,
  separatorAt,
  syntax,
  wordsOf,
} from './words.ts'

export const TIMEOUT_MAX = 2147483
const U32 = 0xffffffff

export interface Settings {
  readonly type: SetType
  /** 0 for sets that hold no addresses. */
  readonly family: SetFamily | 0
  readonly hashsize: number
  readonly maxelem: number
  readonly bucketsize: number
  readonly initval: number
  /** A prefix length; what is stored is masked with it. */
  readonly netmask?: number
  readonly bitmask?: readonly number[]
  readonly markmask?: number
  /** bitmap: addresses (uint32) or ports. */
  readonly from: number
  readonly to: number
  readonly size: number
  readonly timeout?: number
  readonly forceadd: boolean
  /** WITH_... bits. */
  readonly kinds: number
}

export function missingArgument(option: string): SetError {
  return new SetError(`Missing mandatory argument of option \`${option}'`, { status: 2, word: option })
}

export function unknownArgument(word: string): SetError {
  return new SetError(`Unknown argument: \`${word}'`, { status: 2, word })
}

/** Options that ipset once had; they are read and mean nothing. */
const OLD_OPTIONS = new Set(['probes', 'resize', 'gc'])

const FLAGS = new Set(['counters', 'comment', 'forceadd', 'skbinfo'])
const RANGE_WORDS = new Set(['range', 'network', 'from', 'to'])
const NUMBERS: Readonly<Record<string, number | undefined>> = {
  hashsize: U32,
  maxelem: U32,
  bucketsize: 255,
  initval: U32,
  size: U32,
  timeout: TIMEOUT_MAX,
  markmask: U32,
}
const FAMILIES: Readonly<Record<string, SetFamily | 0>> = { inet: 4, ipv4: 4, inet6: 6, ipv6: 6, unspec: 0 }

/** Options and their values as they were given, in order. @param warn is told of options that mean nothing any more */
function scan(type: SetType, words: readonly string[], warn: (message: string) => void): [string, string][] {
  const given: [string, string][] = []
  for (let i = 0; i < words.length; i++) {
    const name = words[i].replace(/^--/, '')
    const isFamily = words[i] === '-4' || words[i] === '-6'
    const key = isFamily ? 'family' : RANGE_WORDS.has(name) ? 'range' : name
    const old = OLD_OPTIONS.has(name) && type.structure === 'hash'
    if (!type.create.includes(key as CreateOption) && !old) throw unknownArgument(words[i])
    if (FLAGS.has(key)) given.push([key, ''])
    else if (isFamily) given.push([key, words[i] === '-4' ? 'inet' : 'inet6'])
    else {
      const value = words[++i]
      if (value === undefined) throw missingArgument(name)
      if (old) warn(`Option '--${name} ${value}' is ignored. Please upgrade your syntax.`)
      else given.push([name === 'network' ? 'range' : name, value])
    }
  }
  return given
}

/** @param random an int32 for sets without initval */
export function readSettings(
  type: SetType,
  words: readonly string[],
  names: Names,
  random: () => number,
  warn: (message: string) => void = () => {},
): Settings {
  const given = scan(type, words, warn)
  const values = new Map<string, string>()
  const numbers = new Map<string, number>()
  const familyName = given.find(([name]) => name === 'family')?.[1] ?? 'inet'
  if (!Object.hasOwn(FAMILIES, familyName)) throw syntax(`unknown inet family ${familyName}`, familyName)
  const family = type.family === 'neutral' ? 0 : type.family === 'inet' ? 4 : FAMILIES[familyName]
  let masks: Pick<Settings, 'netmask' | 'bitmask'> = {}
  // Values are read as they come, so that the first that is wrong is named.
  for (const [name, value] of given) {
    if (values.has(name) && !FLAGS.has(name)) throw syntax(`${name} already specified`, name)
    values.set(name, value)
    const most = NUMBERS[name]
    if (most !== undefined) numbers.set(name, numberIn(value, 0, most))
    if (name === 'netmask' || name === 'bitmask') {
      if (values.has('netmask') && values.has('bitmask'))
        throw syntax('bitmask and netmask are mutually exclusive, provide only one', name)
      masks = name === 'netmask' ? readNetmask(value, type, family || 4) : readBitmask(value, family || 4)
    }
  }
  const number = (option: string, initial: number) => numbers.get(option) ?? initial
  const range = type.create.includes('range') ? readRange(type, values, names) : { from: 0, to: 0 }
  if (type.family === 'both' && family === 0) throw faultError(FAMILY_FAULT)
  if (masks.bitmask?.every((word) => word === 0)) throw faultError(NETMASK)
  if (type.create.includes('markmask') && number('markmask', U32) === 0) throw faultError(MARKMASK)
  // So much the kernel cannot allocate for an empty table either.
  if (number('hashsize', 0) > 2 ** 27) throw faultError(NO_MEMORY)
  const bucketsize = number('bucketsize', 12)
  return {
    type,
    family,
    hashsize: powerOfTwo(number('hashsize', 1024)),
    maxelem: number('maxelem', 65536),
    bucketsize: bucketsize < 2 ? 2 : Math.min(12, bucketsize + (bucketsize & 1)),
    initval: numbers.get('initval') ?? random() >>> 0,
    ...masks,
    ...(type.create.includes('markmask') && { markmask: number('markmask', U32) }),
    ...range,
    size: Math.max(4, number('size', 8)),
    timeout: numbers.get('timeout'),
    forceadd: values.has('forceadd'),
    kinds:
      (values.has('timeout') ? WITH_TIMEOUT : 0) |
      (values.has('counters') ? WITH_COUNTERS : 0) |
      (values.has('comment') ? WITH_COMMENT : 0) |
      (values.has('skbinfo') ? WITH_SKBINFO : 0),
  }
}

/** At least 64. */
function powerOfTwo(size: number): number {
  return size <= 64 ? 64 : 2 ** Math.ceil(Math.log2(size))
}

function readNetmask(text: string, type: SetType, family: SetFamily): Pick<Settings, 'netmask'> {
  try {
    const netmask = prefixLength(text, family, 1)
    return netmask === bits(family) && type.name !== 'hash:net,net' ? {} : { netmask }
  } catch (error) {
    const more = `Syntax error: netmask is out of the inclusive range of 1-${bits(family)}`
    throw new SetError(`${(error as Error).message}\n${more}`, { word: text })
  }
}

function readBitmask(text: string, family: SetFamily): Pick<Settings, 'bitmask'> {
  try {
    return { bitmask: address(text, family) }
  } catch (error) {
    const more = `Syntax error: bitmask is not valid for family = ${FAMILY_NAMES[family]}`
    throw new SetError(`${(error as Error).message}\n${more}`, { word: text })
  }
}

function readRange(type: SetType, given: ReadonlyMap<string, string>, names: Names): Pick<Settings, 'from' | 'to'> {
  const text = given.get('range') ?? (given.has('from') ? `${given.get('from')}-${given.get('to') ?? ''}` : undefined)
  if (text === undefined) throw new SetError("Mandatory option `range' is missing", { status: 2 })
  if (type.parts[0] === 'port') {
    const dash = text.indexOf('-')
    const { from, to } = plainPorts(text, names)
    if (from === to && dash < 0) throw new SetError("Mandatory option `to' is missing", { status: 2 })
    return { from: Math.min(from, to), to: Math.max(from, to) }
  }
  const slash = separatorAt(text, '/')
  if (slash > 0) {
    const length = prefixLength(text.slice(slash + 1), 4)
    const ip = address(text.slice(0, slash), 4)[0]
    if (length >= 32) throw faultError(INVALID_CIDR)
    const mask = maskWord(length, 0)
    return { from: (ip & mask) >>> 0, to: (ip | ~mask) >>> 0 }
  }
  const dash = separatorAt(text, '-')
  if (dash < 0) throw syntax(`IP/cidr or IP-IP range must be specified: ${text}`, text)
  const ends = [text.slice(0, dash), text.slice(dash + 1)].map((end) => address(end, 4)[0] >>> 0)
  return { from: Math.min(...ends), to: Math.max(...ends) }
}

/** Option and value pairs of the header, in the order in which they are printed; '' where there is no value. */
export function header(s: Settings, complete = false): [string, string][] {
  const pairs: [string, string][] = []
  const put = (name: string, value: string | number | undefined) => {
    if (value !== undefined) pairs.push([name, String(value)])
  }
  for (const option of s.type.create) {
    if (option === 'family') put(option, FAMILY_NAMES[s.family as SetFamily])
    else if (option === 'range') put(option, formatRange(s))
    else if (option === 'counters') put(option, (s.kinds & WITH_COUNTERS) !== 0 ? '' : undefined)
    else if (option === 'comment') put(option, (s.kinds & WITH_COMMENT) !== 0 ? '' : undefined)
    else if (option === 'skbinfo') put(option, (s.kinds & WITH_SKBINFO) !== 0 ? '' : undefined)
    // The real one takes forceadd and does not print it.
    else if (option === 'forceadd') put(option, complete && s.forceadd ? '' : undefined)
    else if (option === 'initval') put(option, hex8(s.initval))
    else if (option === 'markmask') put(option, s.markmask === undefined ? undefined : hex8(s.markmask))
    else if (option === 'bitmask')
      put(option, s.bitmask && formatIp(s.bitmask, 0, wordsOf(4) === s.bitmask.length ? 4 : 6))
    else put(option, s[option])
  }
  return pairs
}

function hex8(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, '0')}`
}

function formatRange({ type, from, to }: Settings): string {
  if (type.parts[0] === 'port') return `${from}-${to}`
  return `${formatIp([from | 0], 0, 4)}-${formatIp([to | 0], 0, 4)}`
}

/** Whether `create -exist` takes a set for the one that is there already. */
export function sameSettings(a: Settings, b: Settings): boolean {
  if (a.type !== b.type || a.kinds !== b.kinds || a.timeout !== b.timeout) return false
  if (a.type.structure === 'hash')
    return (
      a.maxelem === b.maxelem &&
      a.netmask === b.netmask &&
      a.markmask === b.markmask &&
      String(a.bitmask) === String(b.bitmask)
    )
  if (a.type.structure === 'bitmap') return a.from === b.from && a.to === b.to && a.netmask === b.netmask
  return a.size === b.size
}
