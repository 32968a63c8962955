// How a flow is made through a router, whoever it is: the first packet, an answer to what left, the end of the handshake, and
// one packet each way.

import { PROTO_TCP, PROTO_UDP } from '../wire/ipv4.ts'
import * as packets from './packets.ts'
import type { Flow } from './traffic.ts'

/** A packet and the device that it enters by, or left by. */
export interface Arrival {
  readonly device: string
  readonly bytes: Uint8Array
}

/** Lets one packet through; gives what left because of it, and whether that is the packet itself. */
export type Through = (arrival: Arrival) => { readonly left: readonly Arrival[]; readonly forwarded: boolean }

/** Makes a flow; gives its established packets, none where it did not come to that. */
export function establish(flow: Flow, through: Through): Arrival[] {
  const { device, protocol } = flow
  const first = packets.opening(flow)
  const { left, forwarded } = through({ device, bytes: first })
  const onwards = left.find(({ bytes }) => packets.isOf(bytes, flow))
  if (onwards === undefined) return []
  if (!forwarded) {
    // The router's own answer to an echo request: every further request belongs to the same flow.
    const echoed = protocol !== PROTO_TCP && protocol !== PROTO_UDP && packets.isEchoReply(onwards.bytes)
    if (echoed) through({ device, bytes: first })
    return echoed ? [{ device, bytes: first }] : []
  }
  if (!through({ device: onwards.device, bytes: packets.answerTo(onwards.bytes) }).forwarded) return []
  if (protocol === PROTO_TCP && !through({ device, bytes: packets.acknowledgement(flow) }).forwarded) return []
  const both = [
    { device, bytes: packets.request(flow) },
    { device: onwards.device, bytes: packets.reply(onwards.bytes) },
  ]
  for (const arrival of both) through(arrival)
  return both
}
