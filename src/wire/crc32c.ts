// CRC32c (Castagnoli), SCTP's checksum (RFC 9260, appendix A). It covers no pseudo-header and cannot be updated cheaply for a
// changed port, so whoever changes one computes it anew over the whole packet.

const POLYNOMIAL = 0x82f63b78

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let c = byte
  for (let bit = 0; bit < 8; bit++) c = (c & 1) !== 0 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1
  return c
})

/** The checksum of `length` bytes at `start`, int32; SCTP stores it little-endian. */
export function crc32c(view: DataView, start: number, length: number): number {
  let c = -1
  for (let at = start; at < start + length; at++) c = (c >>> 8) ^ TABLE[(c ^ view.getUint8(at)) & 255]
  return ~c
}
