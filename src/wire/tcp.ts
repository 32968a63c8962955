// TCP header layout (RFC 9293) and the options that a router looks at (RFC 7323, RFC 2018). `o` is the offset of the
// header's first byte.

export const MIN_HEADER = 20

export const SOURCE_PORT = 0
export const DESTINATION_PORT = 2
export const SEQUENCE = 4
export const ACKNOWLEDGEMENT = 8
export const DATA_OFFSET = 12
export const FLAGS = 13
export const WINDOW = 14
export const CHECKSUM = 16
export const URGENT = 18

export const FIN = 0x01
export const SYN = 0x02
export const RST = 0x04
export const PSH = 0x08
export const ACK = 0x10
export const URG = 0x20
export const ECE = 0x40
export const CWR = 0x80

export const OPTION_END = 0
export const OPTION_NOP = 1
export const OPTION_MSS = 2
export const OPTION_WINDOW_SCALE = 3
export const OPTION_SACK_PERMITTED = 4
export const OPTION_SACK = 5
export const OPTION_TIMESTAMP = 8

/** Header length in bytes as the header says it, 0 to 60. */
export function headerLength(view: DataView, o: number): number {
  return (view.getUint8(o + DATA_OFFSET) >>> 4) << 2
}
