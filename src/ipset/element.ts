// One member, or a range of them, as a command names it: read from its text, and printed again. Which parts there are is
// the type's; what a range stands for is worked out by the set that it is added to.

import { SetError } from './fault.ts'
import type { Names } from './names.ts'
import { formatPort, plainPorts, protocolPorts, WrongFamily } from './port.ts'
import type { Settings } from './settings.ts'
import type { SetType } from './type.ts'
import {
  address,
  bits,
  etherAddress,
  FAMILY_NAMES,
  formatEther,
  formatIp,
  interfaceName,
  numberIn,
  prefixLength,
  type SetFamily,
  separatorAt,
  setName,
  syntax,
} from './words.ts'

/** An address, with a prefix length, or a range of IPv4 addresses. */
export interface Addresses {
  readonly ip: readonly number[]
  readonly to?: number
  readonly length?: number
}

export type Command = 'add' | 'del' | 'test'

export class Element {
  first: Addresses | undefined
  second: Addresses | undefined
  protocol = 0
  port = 0
  portTo = 0
  isPortRange = false
  iface = ''
  physdev = false
  mac: readonly [number, number] | undefined
  mark = 0
  /** list:set: the member's name. */
  name = ''
  /** list:set: the name behind before or after. */
  reference = ''
  before = false
  nomatch = false
  wildcard = false
}

export function readElement(text: string, { type, family }: Settings, names: Names, command: Command): Element {
  const element = new Element()
  if (type.structure === 'list') readMember(text, element)
  else {
    const of = { family: family || (4 as SetFamily), names, command, type }
    const parts = splitParts(text, type)
    for (const [i, part] of parts.entries())
      try {
        readPart(part, i, of, element)
      } catch (error) {
        if (!(error instanceof WrongFamily)) throw error
        // The real one forgets the family, reads on, and says what it then stumbles over.
        stumble(parts, i + 1, { ...of, family: 4 }, error)
        throw error
      }
  }
  return element
}

/** Reads what follows a part that is wrong. Throws both errors where there is another. */
function stumble(parts: readonly string[], from: number, of: Reading, first: WrongFamily): void {
  for (let i = from; i < parts.length; i++)
    try {
      readPart(parts[i], i, of, new Element())
    } catch (error) {
      if (!(error instanceof SetError)) throw error
      throw new SetError(`${first.first}\n${error.message}`, { word: first.word })
    }
}

interface Reading {
  readonly type: SetType
  readonly family: SetFamily
  readonly names: Names
  readonly command: Command
}

const COUNTS = ['none', 'one', 'two']
const ORDINALS = ['First', 'Second', 'Third']

function splitParts(text: string, type: SetType): string[] {
  const wanted = type.parts.length
  const isOptional = type.name === 'bitmap:ip,mac'
  const parts: string[] = []
  let rest = text
  for (let at = separatorAt(rest, ','); at >= 0; at = separatorAt(rest, ',')) {
    parts.push(rest.slice(0, at))
    rest = rest.slice(at + 1)
    if (parts.length < wanted) continue
    const many = ['Elem separator', 'Two elem separators', 'Three elem separators'][wanted - 1]
    throw syntax(`${many} in ${text}, but settype ${type.name} supports ${COUNTS[wanted - 1]}.`, text)
  }
  parts.push(rest)
  if (parts.length < wanted && !isOptional)
    throw syntax(`${ORDINALS[parts.length]} element is missing from ${text}.`, text)
  return parts
}

function readPart(text: string, i: number, of: Reading, element: Element): void {
  const { type, family, names, command } = of
  switch (type.parts[i]) {
    case 'ip': {
      const single = i > 0 || family === 6 || type.name === 'bitmap:ip,mac'
      const addresses = single ? oneAddress(text, family) : manyAddresses(text, family)
      if (i === 0) element.first = addresses
      else element.second = addresses
      return
    }
    case 'net': {
      const addresses = manyAddresses(text, family)
      if (i === 0) element.first = addresses
      else element.second = addresses
      return
    }
    case 'port': {
      const ports = type.structure === 'bitmap' ? plainPorts(text, names) : protocolPorts(text, family, names, command)
      element.protocol = ports.protocol
      element.port = ports.from
      element.portTo = ports.to
      element.isPortRange = ports.isRange
      return
    }
    case 'iface':
      element.physdev = text.startsWith('physdev:')
      element.iface = interfaceName(element.physdev ? text.slice(8) : text)
      return
    case 'mac':
      element.mac = etherAddress(text)
      return
    case 'mark':
      element.mark = numberIn(text, 0, 0xffffffff) | 0
  }
}

/** One address; the length of a whole one may stand behind it. */
function oneAddress(text: string, family: SetFamily): Addresses {
  const slash = separatorAt(text, '/')
  const whole = slash > 0 && text.slice(slash + 1) === String(bits(family))
  const bare = whole ? text.slice(0, slash) : text
  if (separatorAt(bare, '/') > 0 || separatorAt(bare, '-') > 0)
    throw syntax(`plain IP address must be supplied: ${text}`, text)
  return { ip: address(bare, family), ...(whole && { length: bits(family) }) }
}

function manyAddresses(text: string, family: SetFamily): Addresses {
  const slash = separatorAt(text, '/')
  if (slash > 0) {
    const length = prefixLength(text.slice(slash + 1), family)
    return { ip: address(text.slice(0, slash), family), length }
  }
  const dash = separatorAt(text, '-')
  if (dash > 0) {
    if (family === 6) throw syntax(`IP address or IP/cidr must be specified: ${text}`, text)
    return { ip: address(text.slice(0, dash), 4), to: address(text.slice(dash + 1), 4)[0] }
  }
  return { ip: address(text, family) }
}

/** `NAME`, or in the manner of old `NAME,before,NAME`. */
function readMember(text: string, element: Element): void {
  const [name, where, reference, ...more] = text.split(',')
  element.name = setName(name)
  if (where === undefined) return
  if ((where !== 'before' && where !== 'after') || reference === undefined || more.length > 0)
    throw new SetError('you must specify elements as setname,[before|after],setname', { word: text })
  element.before = where === 'before'
  element.reference = setName(reference)
}

/** Only one member can be tested at a time. hash:ip and hash:ip,mark test the first address of a range, and do not say so. */
export function refuseRanges({ first, isPortRange }: Element, { type, family }: Settings, command: Command): void {
  const refused = (what: string) => {
    const named = family === 0 ? 'unspec' : FAMILY_NAMES[family]
    return new SetError(`${what} is not allowed in command ${command} with set type ${type.name} and family ${named}`)
  }
  const isOne = type.name === 'bitmap:ip,mac' || type.name === 'hash:ip,mac'
  if (isOne && first?.length !== undefined) throw refused('IP/CIDR range')
  if (isOne && first?.to !== undefined) throw refused('FROM-TO IP range')
  if (command !== 'test') return
  if (type.name !== 'hash:ip' && type.name !== 'hash:ip,mark') {
    if (first?.length !== undefined && type.parts[0] === 'ip') throw refused('IP/CIDR range')
    if (first?.to !== undefined) throw refused('FROM-TO IP range')
  }
  if (isPortRange) throw refused('FROM-TO port range')
}

/** As `test` prints it. */
export function formatElement(element: Element, { type, family }: Settings, names: Names): string {
  if (type.structure === 'list')
    return element.reference === '' ? element.name : `${element.name} after ${element.reference}`
  const texts: string[] = []
  for (const [i, part] of type.parts.entries()) {
    if (part === 'ip' || part === 'net') {
      const given = i === 0 ? element.first : element.second
      if (given !== undefined) texts.push(formatAddresses(given, family || 4, i === 0))
    } else if (part === 'port')
      texts.push(
        type.structure === 'bitmap' ? String(element.port) : formatPort((element.protocol << 16) | element.port, names),
      )
    else if (part === 'iface') texts.push(element.iface)
    else if (part === 'mac') {
      if (element.mac !== undefined) texts.push(formatEther(...element.mac))
    } else texts.push(formatMark(element.mark))
  }
  return texts.join(',')
}

export function formatMark(mark: number): string {
  return `0x${(mark >>> 0).toString(16).padStart(8, '0')}`
}

function formatAddresses({ ip, to, length }: Addresses, family: SetFamily, withRange: boolean): string {
  const text = formatIp(ip, 0, family)
  if (to !== undefined && withRange) return `${text}-${formatIp([to], 0, family)}`
  return length === undefined || length === bits(family) ? text : `${text}/${length}`
}
