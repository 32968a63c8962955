// SCTP common header and chunk layout (RFC 9260, 3). `o` is the offset of the header's first byte, or of the chunk's. The checksum
// is a CRC32c, stored little-endian.

export const HEADER = 12

export const SOURCE_PORT = 0
export const DESTINATION_PORT = 2
export const VERIFICATION_TAG = 4
export const CHECKSUM = 8

/** Type, flags, length; without the padding to a multiple of four bytes. */
export const CHUNK_HEADER = 4
export const CHUNK_FLAGS = 1
export const CHUNK_LENGTH = 2
/** Of INIT and INIT ACK: the tag that the sender wants to be addressed by. */
export const INITIATE_TAG = 4
/** The chunk header, and the fixed part of INIT and INIT ACK. */
export const INIT_LENGTH = 20

/** Flag T of ABORT and SHUTDOWN COMPLETE: the verification tag is the sender's own. */
export const FLAG_T = 1

// Chunk types.
export const DATA = 0
export const INIT = 1
export const INIT_ACK = 2
export const HEARTBEAT = 4
export const HEARTBEAT_ACK = 5
export const ABORT = 6
export const SHUTDOWN = 7
export const SHUTDOWN_ACK = 8
export const ERROR = 9
export const COOKIE_ECHO = 10
export const COOKIE_ACK = 11
export const SHUTDOWN_COMPLETE = 14
