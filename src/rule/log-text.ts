// The text of a LOG line, for an IPv4 packet here (log-text6.ts has IPv6's), as the kernel's nf_log_syslog writes it: the devices, then the headers as far as
// they are there, and for an ICMP error the packet that it quotes in brackets. Building a string allocates, which a packet
// path does not; a rule that logs is expected to be met seldom, or to be limited.

import { type Links, LOOPBACK } from '../device/link.ts'
import { INPUT, OUTPUT, PREROUTING } from '../hook/hook.ts'
import type { Packet } from '../packet/packet.ts'
import { formatAddress } from '../wire/address.ts'
import * as icmp from '../wire/icmp.ts'
import * as ip from '../wire/ipv4.ts'
import { hex2, hexBytes, incomplete, LOG_IP_OPTIONS, type Rest, tcpText, udpText } from './log-text-transport.ts'
import { packetText6 } from './log-text6.ts'

/** The line behind the prefix. */
export function logText(p: Packet, hook: number, flags: number, links: Links): string {
  const inName = hook === OUTPUT ? '' : links.name(p.inLink)
  const outName = hook === PREROUTING || hook === INPUT ? '' : links.name(p.outLink)
  const mac = inName === '' ? '' : linkAddresses(p)
  const end = p.start + p.length
  const mark = p.mark === 0 ? '' : `MARK=0x${(p.mark >>> 0).toString(16)} `
  const packetText = p.family === 6 ? packetText6 : packetText4
  return `IN=${inName} OUT=${outName} ${mac}${packetText(p.view, p.start, end, flags, false)}${mark}`
}

/** Behind MAC= stands a link's header where a packet came in: the loopback device's is all zeros, a TUN device has none. */
function linkAddresses({ inLink, family }: Packet): string {
  return inLink === LOOPBACK ? `MAC=${'00:'.repeat(12)}${family === 6 ? '86:dd' : '08:00'} ` : 'MAC= '
}

/** @param quoted this is the packet that an ICMP error quotes: errors inside it are not taken apart */
function packetText4(view: DataView, at: number, end: number, flags: number, quoted: boolean): string {
  if (end - at < ip.MIN_HEADER) return 'TRUNCATED'
  const headerLength = (view.getUint8(at) & 15) << 2
  const fragment = view.getUint16(at + ip.FLAGS_FRAGMENT)
  const offset = fragment & ip.FRAGMENT_OFFSET_MASK
  const tos = view.getUint8(at + ip.TOS)
  let text =
    `SRC=${formatAddress(view.getInt32(at + ip.SOURCE))} DST=${formatAddress(view.getInt32(at + ip.DESTINATION))} ` +
    `LEN=${view.getUint16(at + ip.TOTAL_LENGTH)} TOS=0x${hex2(tos & 0x1e)} PREC=0x${hex2(tos & 0xe0)} ` +
    `TTL=${view.getUint8(at + ip.TTL)} ID=${view.getUint16(at + ip.ID)} `
  if ((fragment & ip.RF) !== 0) text += 'CE '
  if ((fragment & ip.DF) !== 0) text += 'DF '
  if ((fragment & ip.MF) !== 0) text += 'MF '
  if (offset !== 0) text += `FRAG:${offset} `
  if ((flags & LOG_IP_OPTIONS) !== 0 && headerLength > ip.MIN_HEADER) {
    if (at + headerLength > end) return `${text}TRUNCATED`
    text += `OPT (${hexBytes(view, at + ip.OPTIONS, at + headerLength)}) `
  }
  const rest = { view, at: at + headerLength, end, later: offset !== 0 }
  switch (view.getUint8(at + ip.PROTOCOL)) {
    case ip.PROTO_TCP:
      return text + tcpText(rest, flags)
    case ip.PROTO_UDP:
      return text + udpText(rest, 'UDP')
    case ip.PROTO_UDPLITE:
      return text + udpText(rest, 'UDPLITE')
    case ip.PROTO_ICMP:
      return text + icmpText(rest, flags, quoted)
    case ip.PROTO_AH:
      return text + spiText(rest, 'AH', 12, 4)
    case ip.PROTO_ESP:
      return text + spiText(rest, 'ESP', 8, 0)
    default:
      return `${text}PROTO=${view.getUint8(at + ip.PROTOCOL)} `
  }
}

function spiText(rest: Rest, name: string, header: number, spi: number): string {
  const { view, at, end, later } = rest
  // Of a later fragment of AH not even the protocol is said.
  if (later) return name === 'AH' ? '' : `PROTO=${name} `
  if (end - at < header) return `PROTO=${name} ${incomplete(rest)}`
  return `PROTO=${name} SPI=0x${view.getUint32(at + spi).toString(16)} `
}

/** Bytes that a message of a type needs for what is printed of it. */
const ICMP_NEEDS: Readonly<Record<number, number>> = {
  [icmp.ECHO_REPLY]: 4,
  [icmp.DEST_UNREACHABLE]: 28,
  [icmp.SOURCE_QUENCH]: 28,
  [icmp.REDIRECT]: 28,
  [icmp.ECHO]: 4,
  [icmp.TIME_EXCEEDED]: 28,
  [icmp.PARAMETER_PROBLEM]: 28,
  [icmp.TIMESTAMP]: 20,
  [icmp.TIMESTAMP_REPLY]: 20,
  [icmp.ADDRESS]: 12,
  [icmp.ADDRESS_REPLY]: 12,
}

function icmpText(rest: Rest, flags: number, quoted: boolean): string {
  const { view, at, end, later } = rest
  let text = 'PROTO=ICMP '
  if (later) return text
  if (end - at < icmp.HEADER) return text + incomplete(rest)
  const type = view.getUint8(at)
  const code = view.getUint8(at + icmp.CODE)
  text += `TYPE=${type} CODE=${code} `
  if (end - at < (ICMP_NEEDS[type] ?? 0)) return text + incomplete(rest)
  switch (type) {
    case icmp.ECHO_REPLY:
    case icmp.ECHO:
      return `${text}ID=${view.getUint16(at + icmp.ID)} SEQ=${view.getUint16(at + icmp.SEQUENCE)} `
    case icmp.PARAMETER_PROBLEM:
      return `${text}PARAMETER=${view.getUint8(at + icmp.REST)} `
    case icmp.REDIRECT:
      text += `GATEWAY=${formatAddress(view.getInt32(at + icmp.GATEWAY))} `
      break
    case icmp.DEST_UNREACHABLE:
    case icmp.SOURCE_QUENCH:
    case icmp.TIME_EXCEEDED:
      break
    default:
      return text
  }
  if (!quoted) text += `[${packetText4(view, at + icmp.HEADER, end, flags, true)}] `
  if (type === icmp.DEST_UNREACHABLE && code === icmp.FRAGMENTATION_NEEDED)
    text += `MTU=${view.getUint16(at + icmp.MTU)} `
  return text
}
