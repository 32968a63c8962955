// list:set: an ordered list of sets, asked one after the other until one matches; target SET adds to and deletes from the
// first that takes it. A member is a slot of the store, so that it stays the same set when sets are swapped. What always
// holds: `held` of a slot counts the lists that have it.

import type { Packet } from '../packet/packet.ts'
import { type Ask, accepts, NO, NO_TEST, YES } from './ask.ts'
import type { Element } from './element.ts'
import { Extensions, type Extras } from './extensions.ts'
import * as fault from './fault.ts'
import type { IpSet, Listed, Surroundings } from './set.ts'
import type { Settings } from './settings.ts'
import type { SetSlot, Slots } from './slot.ts'

interface Member {
  readonly slot: SetSlot
  readonly extensions: Extensions
}

export class ListSet implements IpSet {
  readonly settings: Settings
  readonly #surroundings: Surroundings
  readonly #slots: Slots
  #members: Member[]

  constructor(settings: Settings, surroundings: Surroundings, slots: Slots, members: Member[] = []) {
    this.settings = settings
    this.#surroundings = surroundings
    this.#slots = slots
    this.#members = members
  }

  get byteLength(): number {
    return this.#members.reduce((sum, { extensions }) => sum + extensions.byteLength, 0)
  }

  get count(): number {
    this.collect()
    return this.#members.length
  }

  // ── packets ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  test(p: Packet, ask: Ask): number {
    const { now } = this.#surroundings.time
    const { packets, bytes, updateCounters } = ask
    for (let i = 0; i < this.#members.length; i++) {
      const { slot, extensions } = this.#members[i]
      if (extensions.hasEnded(0, now)) continue
      // The conditions on counters are the list's own; its members are asked without them.
      ask.packets = NO_TEST
      ask.bytes = NO_TEST
      ask.updateCounters = updateCounters && ask.updateSubcounters
      const said = slot.test(p, ask)
      ask.packets = packets
      ask.bytes = bytes
      ask.updateCounters = updateCounters
      // What is handed to packets is the list's, not the member's.
      if (said === YES && accepts(extensions, 0, ask, p.length, now)) return YES
    }
    return NO
  }

  add(p: Packet, ask: Ask): number {
    return this.#firstDone((slot) => slot.add(p, ask))
  }

  delete(p: Packet, ask: Ask): number {
    return this.#firstDone((slot) => slot.delete(p, ask))
  }

  #firstDone(act: (slot: SetSlot) => number): number {
    const { now } = this.#surroundings.time
    for (let i = 0; i < this.#members.length; i++) {
      const { slot, extensions } = this.#members[i]
      if (!extensions.hasEnded(0, now) && act(slot) === fault.OK) return fault.OK
    }
    return fault.INVALID
  }

  // ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────────

  addElement(element: Element, extras: Extras, exist: boolean): number {
    const found = this.#resolve(element)
    if (typeof found === 'number') return found
    this.collect()
    const { now } = this.#surroundings.time
    let at = this.#members.length
    if (found.reference !== undefined) {
      // It is no reference for itself.
      at = this.#members.findIndex(({ slot }) => slot === found.reference && slot !== found.slot)
      if (at < 0) return fault.REFERENCE_NOT_ADDED
      if (!element.before) at++
    }
    // A member that is there keeps its place.
    const there = this.#members.find(({ slot }) => slot === found.slot)
    const timeout = this.settings.timeout ?? 0
    if (there !== undefined) {
      if (!exist) return fault.EXIST
      there.extensions.set(0, extras, timeout, now, false)
      return fault.OK
    }
    const extensions = Extensions.alone(this.settings.kinds, 1)
    extensions.set(0, extras, timeout, now, true)
    this.#members.splice(at, 0, { slot: found.slot, extensions })
    found.slot.held++
    return fault.OK
  }

  deleteElement(element: Element, exist: boolean): number {
    const found = this.#resolve(element)
    if (typeof found === 'number') return found
    this.collect()
    const at = this.#members.findIndex(({ slot }) => slot === found.slot)
    if (found.reference !== undefined && (at < 0 || !this.#isBeside(at, found.reference, element.before)))
      return fault.REFERENCE_NOT_ADDED
    if (at < 0) return exist ? fault.OK : fault.NOT_ADDED
    this.#remove(at)
    return fault.OK
  }

  testElement(element: Element): boolean {
    const found = this.#resolve(element)
    if (typeof found === 'number') return false
    this.collect()
    const at = this.#members.findIndex(({ slot }) => slot === found.slot)
    return at >= 0 && (found.reference === undefined || this.#isBeside(at, found.reference, element.before))
  }

  #isBeside(at: number, reference: SetSlot, before: boolean): boolean {
    return this.#members[before ? at + 1 : at - 1]?.slot === reference
  }

  #resolve({ name, reference }: Element): { slot: SetSlot; reference: SetSlot | undefined } | number {
    const slot = this.#slots.slot(name)
    if (slot === undefined) return fault.NO_SUCH_MEMBER
    if (slot.set.settings.type.structure === 'list') return fault.LIST_IN_LIST
    if (reference === '') return { slot, reference: undefined }
    const other = this.#slots.slot(reference)
    return other === undefined ? fault.NO_SUCH_REFERENCE : { slot, reference: other }
  }

  #remove(at: number): void {
    const [{ slot }] = this.#members.splice(at, 1)
    slot.held--
  }

  flush(): void {
    while (this.#members.length > 0) this.#remove(this.#members.length - 1)
  }

  /** The copy stands in for this list: what the slots count stays as it is. */
  clone(): ListSet {
    const members = this.#members.map(({ slot, extensions }) => ({ slot, extensions: extensions.clone() }))
    return new ListSet(this.settings, this.#surroundings, this.#slots, members)
  }

  collect(): boolean {
    const { now } = this.#surroundings.time
    for (let i = this.#members.length - 1; i >= 0; i--)
      if (this.#members[i].extensions.hasEnded(0, now)) this.#remove(i)
    return true
  }

  *members(): Generator<Listed> {
    this.collect()
    for (const { slot, extensions } of this.#members) {
      const timeout = extensions.secondsLeft(0, this.#surroundings.time.now)
      yield { text: slot.name, nomatch: false, wildcard: false, timeout, extensions, place: 0 }
    }
  }
}
