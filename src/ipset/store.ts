// All sets of a router, by name. What always holds: a slot that a rule or a list names is not taken away. How many rules name
// one is counted when it is asked for, since rules change more often. A change is refused as ipset 7.17 refuses it: by throwing its message.

import type { Time } from '../time.ts'
import { BitmapSet, rangeFault } from './bitmap-set.ts'
import type { Element } from './element.ts'
import type { Extras } from './extensions.ts'
import * as fault from './fault.ts'
import { faultError } from './fault.ts'
import { HashSet } from './hash-set.ts'
import { ListSet } from './list-set.ts'
import type { Names } from './names.ts'
import type { IpSet, Surroundings } from './set.ts'
import { type Settings, sameSettings } from './settings.ts'
import { type SetFamilies, SetSlot, type Slots } from './slot.ts'
import { features } from './type.ts'
import type { SetFamily } from './words.ts'

export interface SetStoreOptions {
  readonly time: Time
  /** A uniformly distributed int32: hash seeds, initval, what forceadd pushes out. */
  readonly random: () => number
  readonly names: Names
  readonly adviseMemory?: Surroundings['adviseMemory']
}

/** Members that tick() looks at. */
const TICK_PLACES = 8192

interface Saved {
  readonly name: string
  readonly set: IpSet
  copied: boolean
}

export class SetStore implements Slots, SetFamilies {
  readonly time: Time
  readonly names: Names
  readonly random: () => number
  readonly adviseMemory: Surroundings['adviseMemory']
  /** Free places are filled again, as the kernel fills its table of sets: that is the order in which sets are listed. */
  #slots: (SetSlot | undefined)[] = []
  #byName = new Map<string, SetSlot>()
  #tick = 0
  /** By who has the rules: counts them. */
  readonly #rules = new Map<number, () => ReadonlyMap<string, number>>()
  /** What they counted, until rules change. */
  #uses: readonly ReadonlyMap<string, number>[] | undefined
  /** Changes whenever there is another set, one less, or one of another name. */
  revision = 0
  /** Counts what commands change. */
  changes = 0
  /** What the slots were before the change that is under way, if it is all or nothing. */
  #saved: Map<SetSlot, Saved> | undefined

  constructor({ time, random, names, adviseMemory }: SetStoreOptions) {
    this.time = time
    this.random = random
    this.names = names
    this.adviseMemory = adviseMemory
  }

  slot(name: string): SetSlot | undefined {
    return this.#byName.get(name)
  }

  /** In the order in which they are listed: sets in the order of their making, then lists. */
  slots(): SetSlot[] {
    const all = this.#slots.filter((slot) => slot !== undefined)
    const isList = ({ set }: SetSlot) => set.settings.type.structure === 'list'
    return [...all.filter((slot) => !isList(slot)), ...all.filter(isList)]
  }

  /** @throws SetError where there is no such set */
  get(name: string): SetSlot {
    const slot = this.#byName.get(name)
    if (slot === undefined) throw faultError(fault.NO_SET)
    return slot
  }

  familyOf(name: string): SetFamily | 0 | undefined {
    return this.#byName.get(name)?.set.settings.family
  }

  /** How many lists and rules have a set: such sets are neither destroyed nor renamed. */
  references({ name, held }: SetSlot): number {
    this.#uses ??= [...this.#rules.values()].map((count) => count())
    return this.#uses.reduce((sum, uses) => sum + (uses.get(name) ?? 0), held)
  }

  // ── sets ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  create(name: string, settings: Settings, exist = false): void {
    const there = this.#byName.get(name)
    if (there !== undefined) {
      if (exist && sameSettings(there.set.settings, this.#make(settings).settings)) return
      throw faultError(fault.SET_EXISTS)
    }
    const slot = new SetSlot(name, this.#make(settings))
    const free = this.#slots.indexOf(undefined)
    if (free < 0) this.#slots.push(slot)
    else this.#slots[free] = slot
    this.#byName.set(name, slot)
    this.revision++
    this.changes++
  }

  #make(settings: Settings): IpSet {
    switch (settings.type.structure) {
      case 'hash':
        return new HashSet(settings, this)
      case 'bitmap': {
        const wrong = rangeFault(settings)
        if (wrong !== fault.OK) throw faultError(wrong)
        return new BitmapSet(settings, this)
      }
      default:
        return new ListSet(settings, this, this)
    }
  }

  /** @param name all sets when left out */
  destroy(name?: string): void {
    const going = name === undefined ? this.slots() : [this.get(name)]
    if (going.some((slot) => this.references(slot) > 0)) throw faultError(fault.SET_BUSY)
    this.revision++
    this.changes++
    for (const slot of going) {
      // A list lets its members go.
      this.#change(slot).flush()
      this.#byName.delete(slot.name)
      this.#slots[this.#slots.indexOf(slot)] = undefined
    }
    while (this.#slots.length > 0 && this.#slots[this.#slots.length - 1] === undefined) this.#slots.pop()
  }

  flush(name?: string): void {
    for (const slot of name === undefined ? this.slots() : [this.get(name)]) this.#change(slot).flush()
  }

  rename(from: string, to: string): void {
    const slot = this.get(from)
    if (this.references(slot) > 0) throw faultError(fault.RENAME_BUSY)
    if (this.#byName.has(to)) throw faultError(fault.RENAME_TAKEN)
    this.#remember(slot)
    this.#byName.delete(from)
    this.#byName.set(to, slot)
    slot.name = to
    this.revision++
    this.changes++
  }

  /** The sets change places: whoever holds one name finds the other's content from now on. */
  swap(from: string, to: string): void {
    const a = this.get(from)
    const b = this.#byName.get(to)
    if (b === undefined) throw faultError(fault.NO_SECOND_SET)
    const [one, other] = [a.set.settings, b.set.settings]
    if (features(one.type) !== features(other.type) || one.family !== other.family) throw faultError(fault.OTHER_TYPE)
    this.#remember(a)
    this.#remember(b)
    this.changes++
    const { set } = a
    a.set = b.set
    b.set = set
    // A copy that is made later belongs to the slot where it then stands.
    if (this.#saved !== undefined) {
      const [x, y] = [this.#saved.get(a) as Saved, this.#saved.get(b) as Saved]
      const { copied } = x
      x.copied = y.copied
      y.copied = copied
    }
  }

  // ── members ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  add(name: string, element: Element, extras: Extras, exist = false): void {
    const slot = this.get(name)
    const { kinds } = slot.set.settings
    refuse(slot.set.refuses?.(element) ?? fault.OK)
    const missing = extras.given & ~kinds
    // In this order, whatever was given first.
    for (const [i, wrong] of [fault.NO_TIMEOUT, fault.NO_COUNTERS, fault.NO_COMMENT, fault.NO_SKBINFO].entries())
      if ((missing & (1 << i)) !== 0) throw faultError(wrong)
    refuse(this.#change(slot).addElement(element, extras, exist))
  }

  delete(name: string, element: Element, exist = false): void {
    refuse(this.#change(this.get(name)).deleteElement(element, exist))
  }

  test(name: string, element: Element): boolean {
    return this.get(name).set.testElement(element)
  }

  // ── all or nothing ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Does all of it, or, when it throws, nothing: sets that are changed are copied first. */
  atomically<T>(change: () => T): T {
    if (this.#saved !== undefined) return change()
    const slots = [...this.#slots]
    const byName = new Map(this.#byName)
    const saved = new Map<SetSlot, Saved>()
    this.#saved = saved
    // A list counts its members in their slots.
    const held = slots.map((slot) => slot?.held ?? 0)
    try {
      return change()
    } catch (error) {
      for (const [slot, { name, set }] of saved) {
        slot.name = name
        slot.set = set
      }
      slots.forEach((slot, i) => {
        if (slot !== undefined) slot.held = held[i]
      })
      this.#slots = slots
      this.#byName = byName
      this.revision++
      throw error
    } finally {
      this.#saved = undefined
    }
  }

  #remember(slot: SetSlot): Saved | undefined {
    const { name, set } = slot
    let saved = this.#saved?.get(slot)
    if (this.#saved !== undefined && saved === undefined) {
      saved = { name, set, copied: false }
      this.#saved.set(slot, saved)
    }
    return saved
  }

  /** The slot's set, to be changed. */
  #change(slot: SetSlot): IpSet {
    this.changes++
    const saved = this.#remember(slot)
    if (saved !== undefined && !saved.copied) {
      saved.copied = true
      slot.set = slot.set.clone()
    }
    return slot.set
  }

  // ── rules and time ──────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Rules that name sets have changed.
   * @param family each family has rules of its own  @param count says how often they name each set
   */
  setRules(family: SetFamily, count: () => ReadonlyMap<string, number>): void {
    this.#rules.set(family, count)
    this.#uses = undefined
  }

  /** Takes some of the members away whose time has ended; to be called now and then, as timers are. */
  tick(): void {
    const slots = this.#slots
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[(this.#tick + i) % slots.length]
      if (slot === undefined || slot.set.settings.timeout === undefined) continue
      this.#tick = (this.#tick + i + (slot.set.collect(TICK_PLACES) ? 1 : 0)) % slots.length
      return
    }
  }

  /** Bytes of all sets' typed arrays. */
  get byteLength(): number {
    return this.slots().reduce((sum, { set }) => sum + set.byteLength, 0)
  }
}

function refuse(wrong: number): void {
  if (wrong !== fault.OK) throw faultError(wrong)
}
