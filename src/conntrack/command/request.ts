// What a conntrack command asks for: the values of its options, read as conntrack 1.4.7 reads them (numbers by strtoul, so that
// what is no number is 0), and what is wrong with them.

import { parseAddress } from '../../wire/address.ts'
import { parse6 } from '../../wire/address6.ts'
import * as ip from '../../wire/ipv4.ts'
import * as f from '../record.ts'
import { SCTP_STATES } from '../sctp-states.ts'
import { STATES } from '../tcp-states.ts'
import type { Table } from './arguments.ts'
import { BANNER, Fault, wrongUsage } from './fault.ts'
import type { LabelNames } from './labels.ts'
import type { CommandLetter } from './options.ts'
import { atoi, bits, listed, mark, split, strtoul } from './word.ts'

/** What the words are read with. */
export interface Environment {
  /** Number of a protocol by its name in /etc/protocols. */
  readonly protocolNumber: (name: string) => number | undefined
  /** undefined where there is no file of names. */
  readonly labels: () => LabelNames | undefined
}

export type Address = readonly number[]

export interface Manip {
  readonly address: Address | undefined
  readonly port: number | undefined
}

/** Values by option; undefined for what was not given. Ports are those of any protocol, ICMP's `sport` its identifier. */
export interface Values {
  src?: Address
  dst?: Address
  'reply-src'?: Address
  'reply-dst'?: Address
  'mask-src'?: Address
  'mask-dst'?: Address
  timeout?: number
  /** Status bits; 0 for UNSET. */
  status?: number
  mark?: { readonly value: number; readonly mask: number | undefined }
  id?: number
  'src-nat'?: Manip
  'dst-nat'?: Manip
  'any-nat'?: Manip
  zone?: number
  'orig-zone'?: number
  'reply-zone'?: number
  label?: readonly number[]
  'label-add'?: readonly number[]
  /** Empty for all. */
  'label-del'?: readonly number[]
  /** Also GRE's --srckey and --dstkey. */
  sport?: number
  dport?: number
  'reply-port-src'?: number
  'reply-port-dst'?: number
  'icmp-type'?: number
  'icmp-code'?: number
  /** Number of the state. */
  state?: number
  'orig-vtag'?: number
  'reply-vtag'?: number
  // Of an expectation.
  'tuple-src'?: Address
  'tuple-dst'?: Address
  'tuple-port-src'?: number
  'tuple-port-dst'?: number
  'mask-port-src'?: number
  'mask-port-dst'?: number
}

export interface Output {
  readonly xml: boolean
  readonly save: boolean
  readonly extended: boolean
  readonly id: boolean
  readonly timestamp: boolean
  readonly ktimestamp: boolean
  readonly labels: boolean
}

export interface Request {
  readonly command: CommandLetter
  readonly table: Table
  /** Of -R. */
  readonly file: string | undefined
  /** 0 where none was given and no address says it. */
  readonly family: 0 | 4 | 6
  readonly protocol: number | undefined
  readonly values: Values
  readonly output: Output
  /** Kinds of events that are wanted. */
  readonly events: { readonly new: boolean; readonly update: boolean; readonly destroy: boolean }
  readonly zero: boolean
  /** What is to be said on standard error before anything else. */
  readonly warnings: string
  readonly labelNames: LabelNames | undefined
}

const OUTPUTS = ['xml', 'extended', 'timestamp', 'id', 'ktimestamp', 'labels', 'userspace', 'save'] as const
const STATUS: Readonly<Record<string, number | undefined>> = {
  ASSURED: f.ASSURED,
  SEEN_REPLY: f.SEEN_REPLY,
  UNSET: 0,
  FIXED_TIMEOUT: f.FIXED_TIMEOUT,
  EXPECTED: f.EXPECTED,
  OFFLOAD: 1 << 14,
  HW_OFFLOAD: 1 << 15,
}
const EVENTS = ['ALL', 'NEW', 'UPDATES', 'DESTROY'] as const

/** conntrack's own names come before those of /etc/protocols. */
const PROTOCOLS: Readonly<Record<string, number | undefined>> = {
  tcp: ip.PROTO_TCP,
  udp: ip.PROTO_UDP,
  udplite: ip.PROTO_UDPLITE,
  icmp: ip.PROTO_ICMP,
  icmpv6: 58,
  sctp: ip.PROTO_SCTP,
  gre: ip.PROTO_GRE,
  dccp: ip.PROTO_DCCP,
}

export class RequestBuilder {
  readonly given = new Set<string>()
  protocol: number | undefined
  readonly #environment: Environment
  readonly #values: Values = {}
  readonly #outputs = new Set<string>()
  readonly #events = new Set<string>()
  #family: 0 | 4 | 6 = 0
  #warnings = ''
  #labelNames: LabelNames | undefined
  #labelsRead = false

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** Throws a Fault for a value that cannot be. */
  take(name: string, value: string | undefined): void {
    if (name === 'deprecated') {
      this.#warnings += 'WARNING: ignoring -a, deprecated option.\n'
      return
    }
    this.given.add(name)
    this.#read(name, value ?? '', value !== undefined)
  }

  #read(name: string, text: string, there: boolean): void {
    const values = this.#values
    switch (name) {
      case 'src':
      case 'dst':
      case 'reply-src':
      case 'reply-dst':
      case 'mask-src':
      case 'mask-dst':
      case 'tuple-src':
      case 'tuple-dst':
        return this.#address(name, text)
      case 'protonum':
        this.protocol = this.#protocolNumber(text)
        return
      case 'timeout':
      case 'id':
        values[name] = strtoul(text)
        return
      case 'status':
        values.status = bits(text, STATUS)
        return
      case 'mark':
        values.mark = mark(text)
        return
      case 'family':
        if (text !== 'ipv4' && text !== 'ipv6') throw wrongUsage(`\`${text}' unsupported protocol`)
        return this.#sameFamily(text === 'ipv4' ? 4 : 6)
      case 'src-nat':
      case 'dst-nat':
      case 'any-nat':
        values[name] = there ? this.#manip(name, text) : { address: undefined, port: undefined }
        return
      case 'output':
        for (const word of listed(text, OUTPUTS)) this.#outputs.add(word)
        return
      case 'event-mask':
        for (const word of listed(text, EVENTS)) this.#events.add(word)
        return
      case 'buffer-size': {
        const size = Math.max(2304, 2 * strtoul(text))
        this.#warnings += `NOTICE: Netlink socket buffer size has been set to ${size} bytes.\n`
        return
      }
      case 'zone':
      case 'orig-zone':
      case 'reply-zone':
        values[name] = strtoul(text) & 0xffff
        return
      case 'label':
      case 'label-add':
        values[name] = [...(values[name] ?? []), ...this.#labels(text)]
        return
      case 'label-del':
        values[name] = there ? [...(values[name] ?? []), ...this.#labels(text)] : []
        return
      default:
        this.#readOfProtocol(name, text)
    }
  }

  #readOfProtocol(name: string, text: string): void {
    const values = this.#values
    switch (name) {
      case 'sport':
      case 'dport':
      case 'reply-port-src':
      case 'reply-port-dst':
      case 'tuple-port-src':
      case 'tuple-port-dst':
      case 'mask-port-src':
      case 'mask-port-dst':
        values[name] = atoi(text) & 0xffff
        return
      case 'srckey':
      case 'dstkey':
        values[name === 'srckey' ? 'sport' : 'dport'] = strtoul(text) & 0xffff
        return
      case 'reply-key-src':
      case 'reply-key-dst':
        values[name === 'reply-key-src' ? 'reply-port-src' : 'reply-port-dst'] = strtoul(text) & 0xffff
        return
      case 'icmp-type':
      case 'icmpv6-type':
        values['icmp-type'] = atoi(text) & 0xff
        return
      case 'icmp-code':
      case 'icmpv6-code':
        values['icmp-code'] = atoi(text) & 0xff
        return
      case 'icmp-id':
      case 'icmpv6-id':
        values.sport = atoi(text) & 0xffff
        return
      case 'orig-vtag':
      case 'reply-vtag':
        values[name] = atoi(text) >>> 0
        return
      case 'state':
        values.state = this.#state(text)
        return
      case 'role':
        if (text !== 'client' && text !== 'server') throw wrongUsage(`Unknown DCCP role \`${text}'`)
    }
  }

  #state(text: string): number {
    if (this.protocol === ip.PROTO_DCCP) return 0
    const isSctp = this.protocol === ip.PROTO_SCTP
    const states: readonly string[] = isSctp ? SCTP_STATES : STATES
    const found = text === 'LISTEN' && !isSctp ? states.length - 1 : states.indexOf(text)
    const name = isSctp ? 'SCTP' : 'TCP'
    if (found < 0) throw wrongUsage(`unknown ${name} state \`${text}'`)
    return found
  }

  #protocolNumber(text: string): number {
    const named = PROTOCOLS[text] ?? this.#environment.protocolNumber(text)
    if (named !== undefined) return named
    if (!/^(0x[0-9a-f]+|\d+)$/i.test(text) || strtoul(text) > 255) throw wrongUsage(`\`${text}' unsupported protocol`)
    return strtoul(text)
  }

  #sameFamily(family: 4 | 6): void {
    if (this.#family !== 0 && this.#family !== family) throw wrongUsage('mismatched address family')
    this.#family = family
  }

  #parseAddress(text: string): Address {
    const four = parseAddress(text)
    const words = four === undefined ? parse6(text) : [four]
    if (words === undefined) throw wrongUsage(`Invalid IP address \`${text}'`)
    this.#sameFamily(words.length === 1 ? 4 : 6)
    return words
  }

  #address(name: string, text: string): void {
    const [address, mask] = split(text, '/')
    const words = this.#parseAddress(address)
    this.#values[name as 'src'] = words
    if (mask === undefined) return
    if (name !== 'src' && name !== 'dst') throw wrongUsage(`CIDR notation unavailable for \`--${name}'`)
    const which = name === 'src' ? 'mask-src' : 'mask-dst'
    this.given.add(which)
    this.#values[which] = this.#mask(mask, words.length)
  }

  #mask(text: string, words: number): Address {
    if (!/^\d+$/.test(text) || Number(text) > 32 * words) throw wrongUsage('Invalid netmask')
    return Array.from({ length: words }, (_, i) => {
      const bits = Math.min(32, Math.max(0, Number(text) - 32 * i))
      return bits === 0 ? 0 : -1 << (32 - bits)
    })
  }

  #manip(name: string, text: string): Manip {
    const four = text.split(':').length <= 2
    const [address, port] = four ? split(text, ':') : [text, undefined]
    if (address.includes('/')) throw wrongUsage(`CIDR notation unavailable for \`--${name}'`)
    if (port !== undefined && (!/^\d+$/.test(port) || Number(port) === 0)) throw wrongUsage(`Invalid port \`${port}'`)
    return {
      address: address === '' ? undefined : this.#parseAddress(address),
      port: port === undefined ? undefined : Number(port) & 0xffff,
    }
  }

  #names(): LabelNames | undefined {
    if (!this.#labelsRead) {
      this.#labelsRead = true
      this.#labelNames = this.#environment.labels()
      if (this.#labelNames === undefined) this.#warnings += 'nfct_labelmap_new: No such file or directory\n'
    }
    return this.#labelNames
  }

  #labels(text: string): number[] {
    const names = this.#names()
    return text.split(',').map((name) => {
      const number = names?.number(name)
      if (number === undefined) throw new Fault(2, `${this.#warnings}${wrongUsage(`unknown label '${name}'`).stderr}`)
      return number
    })
  }

  /** What only the whole can be wrong about. */
  finish(command: CommandLetter, table: Table): void {
    const { given } = this
    const values = this.#values
    for (const side of ['src', 'dst'] as const)
      if (given.has(`mask-${side}`) && !given.has(side)) throw wrongUsage(`Can't use --mask-${side} without --${side}`)
    if (table === 'conntrack' && 'GIA'.includes(command)) {
      const original = values.src !== undefined && values.dst !== undefined
      const reply = values['reply-src'] !== undefined && values['reply-dst'] !== undefined
      if (!original && !reply) throw wrongUsage("you have to specify `--src' and `--dst'")
    }
    if (this.#outputs.has('save') && this.#outputs.size > 1)
      throw new Fault(1, `${BANNER}: cannot combine save output with any other output type, use -o save only\n`)
  }

  request(command: CommandLetter, table: Table, file: string | undefined): Request {
    const has = (name: string) => this.#outputs.has(name)
    const wanted = (name: string) => this.#events.size === 0 || this.#events.has('ALL') || this.#events.has(name)
    const labelNames = has('labels') ? this.#names() : this.#labelNames
    return {
      command,
      table,
      file,
      family: this.#family,
      protocol: this.protocol,
      values: this.#values,
      output: {
        xml: has('xml'),
        save: has('save'),
        extended: has('extended'),
        id: has('id'),
        timestamp: has('timestamp'),
        ktimestamp: has('ktimestamp'),
        labels: has('labels'),
      },
      events: { new: wanted('NEW'), update: wanted('UPDATES'), destroy: wanted('DESTROY') },
      zero: this.given.has('zero'),
      warnings: this.#warnings,
      labelNames,
    }
  }
}
