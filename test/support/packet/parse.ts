// One line of the scenario language into a Packet. Every word must be understood: what is not is an error that names it.

import type { Extension, Field, FieldName, Hole, IpFlag, Packet, Payload, Raw } from './model.ts'
import {
  address6Number,
  addressNumber,
  bytesOf,
  EXTENSION_NAMES,
  IP_FIELDS,
  IP_FLAGS,
  IP6_FIELDS,
  isHole,
  L4_FIELDS,
  namesOf,
  TCP_FLAGS,
} from './model.ts'

const fieldNames: ReadonlySet<string> = new Set([...L4_FIELDS, ...IP_FIELDS, ...IP6_FIELDS])
const ofProtocol: Record<string, readonly string[]> = {
  tcp: ['seq', 'ack', 'win', 'urg', 'doff', 'res', 'sum'],
  udp: ['ulen', 'sum'],
  icmp: ['type', 'code', 'id', 'seq', 'mtu', 'gw', 'ptr', 'rest', 'sum'],
  icmp6: ['type', 'code', 'id', 'seq', 'mtu', 'ptr', 'rest', 'sum'],
  ip: [],
}
const largest: Partial<Record<FieldName, number>> = {
  type: 255,
  code: 255,
  seq: 0xffffffff,
  ack: 0xffffffff,
  doff: 15,
  res: 15,
  gw: 0xffffffff,
  ptr: 255,
  rest: 0xffffffff,
  proto: 255,
  tos: 255,
  frag: 65528,
  ttl: 255,
  ihl: 15,
  tc: 255,
  flow: 0xfffff,
  hl: 255,
}
/** Fields that are wider in IPv6. */
const largest6: Partial<Record<FieldName, number>> = { mtu: 0xffffffff, ptr: 0xffffffff, ipid: 0xffffffff }

class Words {
  private at = 0
  private readonly words: string[]
  private readonly line: string

  constructor(line: string) {
    this.line = line
    this.words = line.match(/"(?:[^"\\]|\\.)*"|<[^>]+>|\S+/g) ?? []
  }
  get done(): boolean {
    return this.at === this.words.length
  }
  peek(): string | undefined {
    return this.words[this.at]
  }
  next(expected: string): string {
    const word = this.words[this.at++]
    if (word === undefined) this.fail(`${expected} was expected at the end`)
    return word
  }
  fail(message: string): never {
    throw new SyntaxError(`${message} in the packet "${this.line}"`)
  }
}

/** Parses one packet. Throws SyntaxError. */
export function parsePacket(line: string): Packet | Raw {
  const words = new Words(line)
  const packet = parseOne(words)
  if (!words.done) words.fail(`"${words.peek()}" is not understood`)
  return packet
}

function parseOne(words: Words): Packet | Raw {
  const proto = words.next('a protocol (tcp, udp, icmp, icmp6, ip, raw)')
  if (proto === 'raw') {
    const hex = words.peek() === ']' || words.done ? '' : words.next('hexadecimal digits')
    bytesOf(hex)
    return { proto, hex }
  }
  if (proto !== 'tcp' && proto !== 'udp' && proto !== 'icmp' && proto !== 'icmp6' && proto !== 'ip')
    words.fail(`"${proto}" is not a protocol (tcp, udp, icmp, icmp6, ip, raw)`)
  const [source, sourcePort] = endpoint(words.next('a source address'), words)
  if (words.next('">"') !== '>') words.fail('">" was expected after the source')
  const [destination, destinationPort] = endpoint(words.next('a destination address'), words)
  const packet: Packet = { proto, source, destination, fields: {}, ipFlags: new Set() }
  if (proto === 'icmp6' || isAddress6(source) || isAddress6(destination)) packet.family = 6
  if (packet.family === 6 && [source, destination].some((address) => typeof address === 'number'))
    words.fail('both addresses have to be of IPv6')
  if (packet.family === 6 && proto === 'icmp') words.fail('in IPv6 it is icmp6')
  if (sourcePort !== undefined || destinationPort !== undefined) {
    if (sourcePort === undefined || destinationPort === undefined) words.fail('one port is missing')
    if (proto !== 'tcp' && proto !== 'udp') words.fail(`${proto} has no ports`)
    packet.sourcePort = sourcePort
    packet.destinationPort = destinationPort
  }
  while (!words.done && words.peek() !== ']') word(packet, words)
  if (proto === 'tcp' && packet.sourcePort !== undefined && packet.tcpFlags === undefined)
    words.fail('TCP flags are missing (S, S., ., P., F., R, none)')
  if (proto === 'ip' && packet.fields.proto === undefined) words.fail('"proto N" is missing after ip')
  return packet
}

function word(packet: Packet, words: Words): void {
  const { proto } = packet
  const word = words.next('a word')
  const name = word as FieldName
  const hasHeader = packet.sourcePort !== undefined || proto === 'icmp' || proto === 'icmp6'
  const icmp = namesOf(proto).find(([text]) => text === word)
  if (fieldNames.has(word)) {
    const isL4 = (L4_FIELDS as readonly string[]).includes(word)
    const ofFamily: readonly string[] = packet.family === 6 ? IP6_FIELDS : IP_FIELDS
    if (!isL4 && !ofFamily.includes(word)) words.fail(`"${word}" is not a field here`)
    if (isL4 && !(hasHeader && ofProtocol[proto]!.includes(word))) words.fail(`"${word}" is not a field here`)
    if (word === 'proto' && proto !== 'ip') words.fail('"proto" is for ip only')
    if (packet.fields[name] !== undefined) words.fail(`"${word}" is given twice`)
    const high = (packet.family === 6 ? largest6[name] : undefined) ?? largest[name] ?? 65535
    packet.fields[name] = fieldValue(name, words.next(`a value of ${word}`), high, words)
  } else if (packet.family === 6 && /^(hbh|rt|dst|fh|x\d+):/.test(word)) {
    packet.extensions ??= []
    packet.extensions.push(extension(word, words))
  } else if (packet.family !== 6 && word in IP_FLAGS) packet.ipFlags.add(word as IpFlag)
  else if (icmp) {
    packet.fields.type = icmp[1]
    packet.fields.code = icmp[2]
  } else if (word === '[') {
    if (proto !== 'icmp' && proto !== 'icmp6') words.fail('only ICMP quotes a packet')
    packet.inner = parseOne(words)
    if (words.next('"]"') !== ']') words.fail('"]" was expected')
  } else if (word === 'opts' && packet.family !== 6) {
    packet.ipOptions = words.next('IP options in hexadecimal')
    if (bytesOf(packet.ipOptions).length % 4 !== 0) words.fail('IP options take a multiple of 4 bytes')
  } else if (word.startsWith('<') && proto === 'tcp') {
    packet.tcpOptions = word
      .slice(1, -1)
      .split(',')
      .map((option) => option.trim())
  } else if (proto === 'tcp' && hasHeader && (word === 'none' || /^[FSRPUEW.]+$/.test(word))) {
    packet.tcpFlags = 0
    for (const [letter, bit] of TCP_FLAGS) if (word !== 'none' && word.includes(letter)) packet.tcpFlags |= bit
  } else if (word === 'len' || word === 'hex' || word.startsWith('"')) {
    if (packet.payload) words.fail('the payload is given twice')
    packet.payload = payload(word, words)
  } else words.fail(`"${word}" is not understood`)
}

function payload(word: string, words: Words): Payload {
  if (word.startsWith('"')) return { kind: 'text', text: JSON.parse(word) as string }
  if (word === 'hex') {
    const hex = words.next('hexadecimal digits')
    bytesOf(hex)
    return { kind: 'hex', hex }
  }
  const length = number(words.next('a length'), 65535, words)
  let from = 0
  if (words.peek() === 'from') {
    words.next('from')
    from = number(words.next('a byte'), 255, words)
  }
  return { kind: 'len', length, from }
}

/** `hbh:010400000000`, `fh:1480+:7`, `x51:...` */
function extension(word: string, words: Words): Extension {
  const [name, text = '', id] = word.split(':') as [string, string?, string?]
  if (name === 'fh') {
    const found = /^(\d+)(\+?)$/.exec(text)
    const offset = Number(found?.[1] ?? 1)
    if (offset % 8 !== 0 || offset > 65528) words.fail(`"${word}" is no fragment header (fh:OFFSET[+]:ID)`)
    return { kind: 44, offset, more: found![2] === '+', id: field(id ?? '0', 0xffffffff, words) }
  }
  if (id !== undefined) words.fail(`"${word}" is not understood`)
  const { length } = bytesOf(text)
  const kind = EXTENSION_NAMES.find(([known]) => known === name)?.[1]
  if (kind === undefined) return { kind: number(name.slice(1), 255, words), hex: text }
  if (length % 8 !== 6) words.fail(`${name} takes 6, 14, 22, ... bytes`)
  return { kind, hex: ((length - 6) / 8).toString(16).padStart(2, '0') + text }
}

const isAddress6 = (address: Field) => typeof (isHole(address) ? address.high : address) === 'bigint'

/** `10.0.0.1:53`, `[2001:db8::1]:53`, an address alone, or place-holders instead. */
function endpoint(text: string, words: Words): [Field, Field | undefined] {
  const found =
    /^\[(\$\w+\[[^\]]*\]|[^\]]*)\](?::(.*))?$/.exec(text) ??
    /^(\$\w+(?:\[[^\]]*\])?|\d+(?:\.\d+)+)(?::(.*))?$/.exec(text) ??
    /^([\da-f:]+)()$/i.exec(text)
  if (!found) words.fail(`"${text}" is not an address`)
  const [, address, port] = found as unknown as [string, string, string?]
  return [
    address.startsWith('$')
      ? hole(address, text.startsWith('[') ? 2n ** 128n - 1n : 0xffffffff, words)
      : anyAddress(address),
    port ? field(port, 65535, words) : undefined,
  ]
}

const anyAddress = (text: string) => (text.includes(':') ? address6Number(text) : addressNumber(text))

function fieldValue(name: FieldName, text: string, high: number, words: Words): Field {
  if (text === 'bad' && (name === 'sum' || name === 'ipsum')) return 'bad'
  if (name === 'gw' && !text.startsWith('$')) return addressNumber(text)
  const value = field(text, high, words)
  if (name === 'frag' && typeof value === 'number' && value % 8 !== 0) words.fail('frag counts bytes, in steps of 8')
  return value
}

function field(text: string, high: number, words: Words): Field {
  return text.includes('$') ? hole(text, high, words) : number(text, high, words)
}

function hole(text: string, high: number | bigint, words: Words): Field {
  const computed = computedHole(text)
  if (computed) return computed
  const found = /^\$(\w+)(?:\[([\da-f.:]+)-([\da-f.:]+)\])?$/i.exec(text)
  if (!found) words.fail(`"${text}" is not a place-holder ($name, $name[low-high], $name+N, $name-N, N-$name)`)
  const bound = (part: string | undefined, otherwise: number | bigint) => {
    if (part === undefined) return otherwise
    return /[.:]/.test(part) ? anyAddress(part) : number(part, Number(high), words)
  }
  return { hole: found[1]!, low: bound(found[2], typeof high === 'bigint' ? 0n : 0), high: bound(found[3], high) }
}

/** `$name+N`, `$name-N` and `N-$name`. */
export function computedHole(text: string): Hole | undefined {
  const [, name, sign, added] = /^\$(\w+)([+-])(\d+)$/.exec(text) ?? []
  if (name) return { hole: name, low: 0, high: 0xffffffff, plus: Number(added) * (sign === '-' ? -1 : 1) }
  const [, from, subtracted] = /^(\d+)-\$(\w+)$/.exec(text) ?? []
  if (subtracted) return { hole: subtracted, low: 0, high: 0xffffffff, plus: Number(from), turned: true }
  return undefined
}

function number(text: string, high: number, words: Words): number {
  const value = /^(\d+|0x[\da-f]+)$/i.test(text) ? Number(text) : Number.NaN
  if (!(value <= high)) words.fail(`"${text}" is not a number from 0 to ${high}`)
  return value
}
