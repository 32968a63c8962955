// Which worker writes a packet (device/queues.ts). Packets of a flow must not overtake each other, so the choice depends on nothing but
// what all of them have in common: addresses, protocol and ports as they leave. Fragments do not tell their ports: they go by addresses
// and protocol, so that those of one datagram stay in order among themselves.
//
// The kernel gives what comes back to the queue that wrote last to the other side (TUN's table of flows), so the answers of a flow
// come in where its packets go out, always on the same queue.

import * as ip from '../wire/ipv4.ts'
import * as ip6 from '../wire/ipv6.ts'

const FRAGMENT = ip.MF | ip.FRAGMENT_OFFSET_MASK

/** @returns 0 to queues - 1; `queues` is at most 65,536 */
export function queueOf(view: DataView, start: number, length: number, queues: number): number {
  let hash = 0
  const version = view.getUint8(start) >>> 4
  if (version === 4 && length >= ip.MIN_HEADER) {
    const protocol = view.getUint8(start + ip.PROTOCOL)
    hash = mixed(mixed(protocol, view.getInt32(start + ip.SOURCE)), view.getInt32(start + ip.DESTINATION))
    const whole = (view.getUint16(start + ip.FLAGS_FRAGMENT) & FRAGMENT) === 0
    if (whole && ip.hasPorts(protocol)) hash = mixed(hash, view.getInt32(start + ((view.getUint8(start) & 15) << 2)))
  } else if (version === 6 && length >= ip6.HEADER) {
    // Behind extension headers ports are not looked for.
    const protocol = view.getUint8(start + ip6.NEXT_HEADER)
    hash = protocol
    for (let i = ip6.SOURCE; i < ip6.HEADER; i += 4) hash = mixed(hash, view.getInt32(start + i))
    if (ip.hasPorts(protocol)) hash = mixed(hash, view.getInt32(start + ip6.HEADER))
  }
  hash = mixed(hash, hash >>> 16)
  return ((hash >>> 16) * queues) >>> 16
}

function mixed(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x9e3779b1)
  return product ^ (product >>> 15)
}
