// A named place for a set. Rules and lists hold the slot, so that swapping two sets' contents and replacing one at once are
// one assignment, seen by the next packet.

import type { Packet } from '../packet/packet.ts'
import { type Ask, EXCEPTED, NO, YES } from './ask.ts'
import * as fault from './fault.ts'
import type { IpSet } from './set.ts'
import { dimension, hasNets } from './type.ts'
import type { SetFamily } from './words.ts'

/** Where slots are found by name. */
export interface Slots {
  slot(name: string): SetSlot | undefined
}

/** What is known of sets where rules are read: which there are. */
export interface SetFamilies {
  /** 0 for sets that hold no addresses; undefined where there is no such set. */
  familyOf(name: string): SetFamily | 0 | undefined
}

export class SetSlot {
  name: string
  set: IpSet
  /** Lists that have it as a member. */
  held = 0

  constructor(name: string, set: IpSet) {
    this.name = name
    this.set = set
  }

  /** Whether a rule's question fits at all: enough parts, and the packet's family. */
  #fits(p: Packet, ask: Ask): boolean {
    const { type, family } = this.set.settings
    return ask.dimensions >= dimension(type) && (family === 0 || family === p.family)
  }

  /** YES or NO, with --return-nomatch turned round. */
  test(p: Packet, ask: Ask): number {
    if (!this.#fits(p, ask)) return NO
    const said = this.set.test(p, ask)
    if (!ask.returnNomatch || !hasNets(this.set.settings.type)) return said === YES ? YES : NO
    return said === EXCEPTED ? YES : NO
  }

  /** A fault's number. */
  add(p: Packet, ask: Ask): number {
    return this.#fits(p, ask) ? this.set.add(p, ask) : fault.OTHER_TYPE
  }

  delete(p: Packet, ask: Ask): number {
    return this.#fits(p, ask) ? this.set.delete(p, ask) : fault.OTHER_TYPE
  }
}
