// Transport checksums as conntrack judges them: a packet that came from a device with a wrong one belongs to no flow.
// What the router itself sends (inLink 0) is taken to be right, as Linux does outside of PREROUTING, and so is one that a device is
// still to complete. The sum covers the IP packet's whole payload, whatever a UDP header says about its length. ICMPv6 has a
// pseudo-header as TCP and UDP have (RFC 4443, 2.3), which ICMP has not.

import type { Packet } from '../packet/packet.ts'
import { fold, pseudoSum4, sumOf } from '../wire/checksum.ts'
import { pseudoSum } from '../wire/ipv6.ts'

/** Whether TCP's, UDP's or ICMPv6's checksum (RFC 9293, RFC 768) is wrong; a UDP checksum of 0 is for the caller to let pass. */
export function checksumWrong(p: Packet): boolean {
  return partialChecksumWrong(p, p.protocol, p.length - p.headerLength)
}

/** The same for a checksum that covers only the payload's first `covered` bytes (RFC 3828). */
export function partialChecksumWrong(p: Packet, protocol: number, covered: number): boolean {
  if (p.inLink === 0 || p.partial) return false
  const length = p.length - p.headerLength
  const pseudo =
    p.family === 4
      ? pseudoSum4(p.source, p.destination, protocol, length)
      : pseudoSum(p.view, p.start, protocol, length)
  return fold(pseudo + sumOf(p.view, p.transport, covered)) !== 0xffff
}

/** Whether ICMP's checksum, which has no pseudo-header (RFC 792), is wrong. */
export function icmpChecksumWrong(p: Packet): boolean {
  if (p.inLink === 0) return false
  return fold(sumOf(p.view, p.transport, p.length - p.headerLength)) !== 0xffff
}
