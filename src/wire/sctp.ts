// SCTP common header layout (RFC 9260, 3.1). `o` is the offset of the header's first byte. The checksum is a CRC32c, stored
// little-endian.

export const HEADER = 12

export const SOURCE_PORT = 0
export const DESTINATION_PORT = 2
export const CHECKSUM = 8
