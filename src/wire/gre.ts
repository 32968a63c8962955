// GRE header layout (RFC 2784), and the one of PPTP, which is version 1 with a call's number in its key (RFC 2637, 4.1). `o` is
// the offset of the header's first byte.

export const HEADER = 4
export const PPTP_HEADER = 8

export const FLAGS = 0
export const PROTOCOL = 2
export const CALL_ID = 6

export const VERSION_MASK = 7
export const PPTP_VERSION = 1
export const PROTOCOL_PPP = 0x880b
