// The scenario language for packets: test/scenario/README.md describes it.

export { decode, describePacket } from './decode.ts'
export { encode, encodeAll } from './encode.ts'
export { Bindings } from './holes.ts'
export type { Packet, Raw } from './model.ts'
export { bytesOf, hexOf } from './model.ts'
export { parsePacket } from './parse.ts'
export { printPacket } from './print.ts'

import { encodeAll } from './encode.ts'
import { parsePacket } from './parse.ts'

/** The bytes of a line without place-holders; of all of its fragments with `split`. */
export function packetsOf(line: string): Uint8Array[] {
  return encodeAll(parsePacket(line))
}
