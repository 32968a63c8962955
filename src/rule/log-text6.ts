// The text of a LOG line for an IPv6 packet: addresses in their long form, extension headers one by one (what is in brackets
// behind OPT only where IP options are asked for), then the upper layer as for IPv4.

import * as icmpv6 from '../wire/icmpv6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as extension from '../wire/ipv6-extension.ts'
import { hex2, incomplete, LOG_IP_OPTIONS, type Rest, tcpText, udpText } from './log-text-transport.ts'

const AH_HEADER = 12
const ESP_HEADER = 8

/** @param quoted this is the packet that an ICMPv6 error quotes: errors inside it are not taken apart */
export function packetText6(view: DataView, start: number, end: number, flags: number, quoted: boolean): string {
  if (end - start < ipv6.HEADER) return 'TRUNCATED'
  const text =
    `SRC=${longAddress(view, start + ipv6.SOURCE)} DST=${longAddress(view, start + ipv6.DESTINATION)} ` +
    `LEN=${view.getUint16(start + ipv6.PAYLOAD_LENGTH) + ipv6.HEADER} TC=${ipv6.trafficClass(view, start)} ` +
    `HOPLIMIT=${view.getUint8(start + ipv6.HOP_LIMIT)} FLOWLBL=${ipv6.flowLabel(view, start)} `
  const chain = new Chain(view, start, end, (flags & LOG_IP_OPTIONS) !== 0)
  if (!chain.walk()) return text + chain.text
  const { at, later, kind } = chain
  return text + chain.text + upperText({ view, at, end, later }, kind, flags, quoted)
}

/** The extension headers of a packet as a line has them. */
class Chain {
  text = ''
  kind: number
  at: number
  later = false
  readonly #view: DataView
  readonly #end: number
  readonly #options: boolean

  constructor(view: DataView, start: number, end: number, options: boolean) {
    this.#view = view
    this.#end = end
    this.#options = options
    this.kind = view.getUint8(start + ipv6.NEXT_HEADER)
    this.at = start + ipv6.HEADER
  }

  /** @returns false when the line ends with the headers */
  walk(): boolean {
    while (extension.isExtension(this.kind) || this.kind === ip.PROTO_ESP) {
      if (this.at + 2 > this.#end) {
        this.text += 'TRUNCATED'
        return false
      }
      if (this.#options) this.text += 'OPT ( '
      if (!this.#one()) return false
      if (this.#options) this.text += ') '
      const length = extension.lengthOf(this.#view, this.kind, this.at)
      this.kind = this.#view.getUint8(this.at + extension.NEXT)
      this.at += length
    }
    return true
  }

  #one(): boolean {
    const there = this.#end - this.at
    switch (this.kind) {
      case extension.FRAGMENT:
        return this.#fragment(there)
      case extension.AUTHENTICATION:
        // Without options nothing is said of it, and nothing looked at.
        return !this.#options || this.#security('AH ', there < AH_HEADER, this.at + 4)
      case ip.PROTO_ESP:
        if (this.#options && this.#security('ESP ', there < ESP_HEADER, this.at)) this.text += ')'
        return false
      default:
        if (this.later && this.#options) this.text += ')'
        return !this.later
    }
  }

  #fragment(there: number): boolean {
    this.text += 'FRAG:'
    if (there < extension.FRAGMENT_HEADER) {
      this.text += 'TRUNCATED '
      return false
    }
    const word = this.#view.getUint16(this.at + extension.FRAGMENT_OFFSET)
    this.text += `${word & extension.OFFSET_BYTES} `
    if ((word & extension.MORE) !== 0) this.text += 'INCOMPLETE '
    this.text += `ID:${this.#view
      .getUint32(this.at + extension.FRAGMENT_ID)
      .toString(16)
      .padStart(8, '0')} `
    if ((word & extension.OFFSET_BYTES) !== 0) this.later = true
    return true
  }

  /** @param spi where the security parameter index stands */
  #security(name: string, cut: boolean, spi: number): boolean {
    this.text += name
    if (!this.later && !cut) {
      this.text += `SPI=0x${this.#view.getUint32(spi).toString(16)} `
      return true
    }
    if (!this.later) this.text += `INCOMPLETE [${this.#end - this.at} bytes] `
    this.text += ')'
    return false
  }
}

function upperText(rest: Rest, protocol: number, flags: number, quoted: boolean): string {
  switch (protocol) {
    case ip.PROTO_TCP:
      return tcpText(rest, flags)
    case ip.PROTO_UDP:
      return udpText(rest, 'UDP')
    case ip.PROTO_UDPLITE:
      return udpText(rest, 'UDPLITE')
    case ip.PROTO_ICMPV6:
      return icmpText(rest, flags, quoted)
    default:
      return `PROTO=${protocol} `
  }
}

function icmpText(rest: Rest, flags: number, quoted: boolean): string {
  const { view, at, end, later } = rest
  let text = 'PROTO=ICMPv6 '
  if (later) return text
  if (end - at < icmpv6.HEADER) return text + incomplete(rest)
  const type = view.getUint8(at)
  text += `TYPE=${type} CODE=${view.getUint8(at + icmpv6.CODE)} `
  switch (type) {
    case icmpv6.ECHO:
    case icmpv6.ECHO_REPLY:
      return `${text}ID=${view.getUint16(at + icmpv6.ID)} SEQ=${view.getUint16(at + icmpv6.SEQUENCE)} `
    case icmpv6.PARAMETER_PROBLEM:
      text += `POINTER=${view
        .getUint32(at + icmpv6.POINTER)
        .toString(16)
        .padStart(8, '0')} `
      break
    case icmpv6.DEST_UNREACHABLE:
    case icmpv6.PACKET_TOO_BIG:
    case icmpv6.TIME_EXCEEDED:
      break
    default:
      return text
  }
  if (!quoted) text += `[${packetText6(view, at + icmpv6.HEADER, end, flags, true)}] `
  if (type === icmpv6.PACKET_TOO_BIG) text += `MTU=${view.getUint32(at + icmpv6.MTU)} `
  return text
}

function longAddress(view: DataView, at: number): string {
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(hex2(view.getUint8(at + i)) + hex2(view.getUint8(at + i + 1)))
  return groups.join(':').toLowerCase()
}
