// Block layouts of pcapng (draft-ietf-opsawg-pcapng) and of the classic pcap file header (draft-ietf-opsawg-pcap),
// as far as packets of raw IP need them.

export const SECTION = 0x0a0d0d0a
export const INTERFACE = 1
export const SIMPLE_PACKET = 3
export const ENHANCED_PACKET = 6

/** Type and length before a block's body, the length again behind it. */
export const BLOCK_HEADER = 8
export const BLOCK_TRAILER = 4

/** First word of a section header's body: tells the byte order of all the section. */
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d
export const BYTE_ORDER_SWAPPED = 0x4d3c2b1a

export const OPTION_END = 0
export const OPTION_COMMENT = 1
export const OPTION_INTERFACE_NAME = 2
export const OPTION_TIMESTAMP_RESOLUTION = 9
export const OPTION_TIMESTAMP_OFFSET = 14
export const OPTION_USER_APPLICATION = 4

/** Packets begin with the IP header, of either version. */
export const LINKTYPE_RAW = 101
/** The same, IPv4 only. */
export const LINKTYPE_IPV4 = 228

/** What NFLOG hands over: nfgenmsg's fields, then attributes with the packet among them. */
export const LINKTYPE_NFLOG = 239

/** Classic pcap: the first word of a file whose time stamps have microseconds, and nanoseconds. */
export const CLASSIC_MICROSECONDS = 0xa1b2c3d4
export const CLASSIC_NANOSECONDS = 0xa1b23c4d
export const CLASSIC_FILE_HEADER = 24
export const CLASSIC_PACKET_HEADER = 16

/** No packet of raw IP is longer, and no block that matters is much longer than a packet: a larger length is an error. */
export const BLOCK_MAX = 16 << 20

export function pad4(length: number): number {
  return (length + 3) & ~3
}
