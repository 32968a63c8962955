// UDP header layout (RFC 768). `o` is the offset of the header's first byte. A checksum of 0 means "none" and stays 0.

export const HEADER = 8

export const SOURCE_PORT = 0
export const DESTINATION_PORT = 2
export const LENGTH = 4
export const CHECKSUM = 6
