// What every set can do, for packets and for commands. Operations return a fault's number (fault.ts), 0 when it was done.

import type { Packet } from '../packet/packet.ts'
import type { Time } from '../time.ts'
import type { Ask } from './ask.ts'
import type { Element } from './element.ts'
import type { Extensions, Extras } from './extensions.ts'
import type { Names } from './names.ts'
import type { Settings } from './settings.ts'

/** What a set is given to live in. */
export interface Surroundings {
  readonly time: Time
  readonly names: Names
  /** A uniformly distributed int32. */
  readonly random: () => number
  /** Is told of the memory of a large table before it is used: such a table is found faster in large pages. */
  readonly adviseMemory?: ((memory: Uint8Array) => unknown) | undefined
}

/** One member while a set is listed; the same object for each. */
export interface Listed {
  /** As commands name it: `10.0.0.0/8`. */
  text: string
  nomatch: boolean
  wildcard: boolean
  /** Seconds that are left, 0 for never. */
  timeout: number
  extensions: Extensions | undefined
  place: number
}

export interface MembersOptions {
  /** A hash's in the order of their parts; of their texts where addresses have names. */
  readonly sorted?: boolean | undefined
  /** What is written for an address. */
  readonly nameOf?: ((address: string) => string) | undefined
}

export interface IpSet {
  readonly settings: Settings

  /** YES, NO or EXCEPTED. */
  test(p: Packet, ask: Ask): number
  add(p: Packet, ask: Ask): number
  delete(p: Packet, ask: Ask): number

  /** What is wrong with an element before it is looked at what is given with it. */
  refuses?(element: Element): number
  addElement(element: Element, extras: Extras, exist: boolean): number
  deleteElement(element: Element, exist: boolean): number
  testElement(element: Element): boolean

  flush(): void
  /** An independent copy. */
  clone(): IpSet
  /** Members, among them those that have ended since collect() looked at them last. */
  readonly count: number
  /** Undefined now and then, where the next one takes a while. */
  members(options?: MembersOptions): Iterable<Listed | undefined>
  /** Takes away what has ended. @param limit how many places to look at; @returns false when there is more to look at */
  collect(limit: number): boolean
  /** Bytes of typed arrays. */
  readonly byteLength: number
}
