// TEMPORARY, so that the others can compile until the real one is here: replace this file whole.
import type { Packet } from './packet.ts'
/** @returns true when it could not be split */
export function fragmentOut(_p: Packet, _mtu: number, _emit: (p: Packet, start: number, length: number) => void): boolean {
  return true
}
