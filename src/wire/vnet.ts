// struct virtio_net_hdr_mrg_rxbuf as TUN uses it with IFF_VNET_HDR and a header size of 12 (virtio 1.2, 5.1.6). It lies
// directly in front of the IP header, fields little-endian; offsets here are negative, from the IP header.

export const SIZE = 12

export const FLAGS = -12
export const GSO_TYPE = -11
export const HEADER_LENGTH = -10
export const GSO_SIZE = -8
export const CHECKSUM_START = -6
export const CHECKSUM_OFFSET = -4
export const BUFFERS = -2

export const NEEDS_CHECKSUM = 1
export const DATA_VALID = 2

export const GSO_NONE = 0
export const GSO_TCP4 = 1
export const GSO_UDP = 3
export const GSO_TCP6 = 4
export const GSO_UDP_L4 = 5
export const GSO_ECN = 0x80

/** Writes the header of a plain packet: whole checksums, no segmentation. */
export function clear(view: DataView, start: number): void {
  view.setInt32(start + FLAGS, 0)
  view.setInt32(start + GSO_SIZE, 0)
  view.setInt32(start + CHECKSUM_OFFSET, 0)
}

/** Whether something was left undone, or the sender says something of it: flags and GSO type are not both 0. */
export function isOffloaded(view: DataView, start: number): boolean {
  return view.getUint16(start + FLAGS) !== 0
}
