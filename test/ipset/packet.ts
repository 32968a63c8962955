// Packets as sets look at them, and what a rule asks.

import { Ask } from '../../src/ipset/ask.ts'
import type { SetStore } from '../../src/ipset/store.ts'
import { Packet } from '../../src/packet/packet.ts'
import { readHeader4 } from '../../src/packet/parse.ts'
import { Slab } from '../../src/packet/slab.ts'
import { packetsOf } from '../support/packet/index.ts'

const LINKS = ['', 'lo', 'eth0', 'eth1', 'wlan0']
const links = { name: (link: number) => LINKS[link] ?? '' }
const slab = new Slab(4)

/** Of a packet line; in through eth0, out through eth1. */
export function packetOf(line: string): Packet {
  const bytes = packetsOf(line)[0]!
  const p = new Packet(slab)
  const start = slab.take()
  slab.bytes.set(bytes, start)
  slab.give(start)
  p.begin(start, bytes.length, 2)
  p.outLink = 3
  readHeader4(p)
  return p
}

/** A descriptor whose addresses are set by hand. */
export function bare(family: 4 | 6): Packet {
  const p = new Packet(slab)
  p.begin(0, 60, 2)
  p.family = family
  return p
}

export function asks(directions: string): Ask {
  return new Ask(
    directions.split(',').map((word) => word === 'src'),
    links,
  )
}

/** Whether a rule with these directions finds the packet in the set. */
export function matches(store: SetStore, name: string, directions: string, p: Packet): boolean {
  return store.get(name).test(p, asks(directions)) === 1
}
