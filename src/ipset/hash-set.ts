// Sets of the hash types: members are keys of a few words in a table (table.ts), whatever parts they are made of. What
// always holds: PrefixLengths count exactly the members that are there, and a key holds no bits outside its prefixes.
//
// A look-up masks the packet's address with each prefix length that is there, longest first, and the first member found
// decides, nomatch or not; with two networks the first one's lengths are the outer loop. Members that have ended, or whose
// counters do not pass, are passed over. All of this is what the kernel's ip_set_hash_* do.

import type { Packet } from '../packet/packet.ts'
import { type Ask, accepts, EXCEPTED, NO, NO_PORT, portOf, readAddress, YES } from './ask.ts'
import { DeviceNames } from './device-names.ts'
import type { Element } from './element.ts'
import { Expansion } from './expansion.ts'
import type { Extras } from './extensions.ts'
import * as fault from './fault.ts'
import { KeyLayout } from './key-layout.ts'
import { listHash } from './list-hash.ts'
import { PrefixLengths } from './prefix-lengths.ts'
import { NOMATCH, PHYSDEV, type RecordForm, recordForm, WILDCARD } from './records.ts'
import type { IpSet, Listed, MembersOptions, Surroundings } from './set.ts'
import type { Settings } from './settings.ts'
import { ALL_HASHES, MemberTable, PIECE } from './table.ts'
import { bits } from './words.ts'

/** Milliseconds between two searches of a full set. */
const SEARCH_PAUSE = 100

/** For a few words a loop is faster than TypedArray.set. */
function copyWords(from: Int32Array, to: Int32Array): void {
  for (let i = 0; i < from.length; i++) to[i] = from[i]
}

export class HashSet implements IpSet {
  readonly settings: Settings
  readonly layout: KeyLayout
  readonly surroundings: Surroundings
  /** One for each network in a member. */
  lengths: readonly PrefixLengths[]
  devices: DeviceNames | undefined
  table: MemberTable
  /** The key that is looked for; `#whole` is the packet's, before it is masked. */
  readonly key: Int32Array
  readonly #whole: Int32Array
  readonly #form: RecordForm
  /** The device whose name the key holds, while there is one. */
  #device = ''
  /** When a full set was searched last for members that have ended. */
  #searched = 0
  /** The first hash of those members that collect() has yet to look at. */
  #toCollect = 0

  /** @param seed of the hash; initval is printed, and so no secret */
  constructor(settings: Settings, surroundings: Surroundings, seed = surroundings.random()) {
    this.settings = settings
    this.surroundings = surroundings
    this.layout = new KeyLayout(settings)
    this.#form = recordForm(this.layout.words, settings.kinds, seed, surroundings.adviseMemory)
    this.#searched = (surroundings.time.now - SEARCH_PAUSE) | 0
    this.table = new MemberTable(this.#form)
    this.key = new Int32Array(this.layout.words)
    this.#whole = new Int32Array(this.layout.words)
    this.lengths = this.layout.nets.map(() => new PrefixLengths())
    if (this.layout.device >= 0) this.devices = new DeviceNames()
  }

  get count(): number {
    return this.table.count
  }

  get byteLength(): number {
    return this.table.byteLength
  }

  // ── packets ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  test(p: Packet, ask: Ask): number {
    if (!this.#read(p, ask)) return NO
    const { lengths } = this
    const whole = this.#whole
    const { key, layout } = this
    copyWords(whole, key)
    if (lengths.length === 0) return this.#judge(0, ask, p.length)
    const outer = lengths[0]
    const inner = lengths.length > 1 ? lengths[1] : undefined
    for (let i = 0; i < outer.size; i++) {
      const length = outer.list[i]
      layout.maskNet(0, length, whole, key)
      if (inner === undefined) {
        const said = this.#judge(length, ask, p.length)
        if (said !== NO) return said
        continue
      }
      for (let j = 0; j < inner.size; j++) {
        layout.maskNet(1, inner.list[j], whole, key)
        const said = this.#judge(length | (inner.list[j] << 8), ask, p.length)
        if (said !== NO) return said
      }
    }
    return NO
  }

  add(p: Packet, ask: Ask): number {
    return this.#read(p, ask) ? this.insert(this.#mostSpecific(), ask.extras, ask.exist, 0) : fault.INVALID
  }

  delete(p: Packet, ask: Ask): number {
    return this.#read(p, ask) ? this.remove(this.#mostSpecific(), ask.exist) : fault.INVALID
  }

  /** Puts a packet's parts into #whole; false where it does not have them. */
  #read(p: Packet, ask: Ask): boolean {
    const whole = this.#whole
    const { parts, offsets, family } = this.layout
    for (let i = 0; i < parts.length; i++) {
      const source = ask.isSource(i)
      const at = offsets[i]
      switch (parts[i]) {
        case 'ip':
        case 'net':
          readAddress(p, source, family, whole, at)
          break
        case 'port':
          whole[at] = portOf(p, source)
          if (whole[at] === NO_PORT) return false
          break
        case 'iface':
          this.#device = ask.device(p, source)
          if (this.#device === '') return false
          break
        case 'mark':
          whole[at] = p.mark & this.layout.markMask
          break
        default:
          // Packets of TUN devices have no link addresses.
          return false
      }
    }
    return this.layout.maskFirst(whole)
  }

  /** Masks a packet's key with the longest prefixes that are there, or with none; @returns the lengths as in META_KEY */
  #mostSpecific(): number {
    let meta = 0
    copyWords(this.#whole, this.key)
    for (let i = 0; i < this.lengths.length; i++) {
      const { size, list } = this.lengths[i]
      const length = size > 0 ? list[0] : bits(this.layout.family)
      this.layout.maskNet(i, length, this.#whole, this.key)
      meta |= length << (8 * i)
    }
    return meta
  }

  #judge(meta: number, ask: Ask, bytes: number): number {
    if (!this.#find(meta)) return NO
    const { records, slot } = this.table
    const { extensions } = records
    if (extensions !== undefined && !accepts(extensions, slot, ask, bytes, this.surroundings.time.now)) return NO
    return (this.table.meta & NOMATCH) !== 0 ? EXCEPTED : YES
  }

  /** The member with this key: for a device also one whose name is a beginning of the device's. */
  #find(meta: number): boolean {
    const { devices, table, key } = this
    if (devices === undefined) return table.find(key, meta)
    const candidates = devices.candidates(this.#device)
    for (let i = 0; i < candidates.length; i++) {
      key[this.layout.device] = candidates[i]
      if (!table.find(key, meta)) continue
      if ((table.meta & WILDCARD) !== 0 || devices.name(candidates[i]) === this.#device) return true
    }
    return false
  }

  // ── one key, with what is in META_KEY ───────────────────────────────────────────────────────────────────────────────

  /** The device of the key that is looked for next. */
  setDevice(name: string): void {
    this.#device = name
  }

  /** Adds `key`. @param flags NOMATCH, WILDCARD */
  insert(meta: number, extras: Extras, exist: boolean, flags: number): number {
    const { table, settings } = this
    const { now } = this.surroundings.time
    if (this.#find(meta)) {
      const { extensions } = table.records
      const isThere = extensions === undefined || !extensions.hasEnded(table.slot, now)
      if (isThere && !exist) return fault.EXIST
      this.#setWildcard((table.meta & WILDCARD) !== 0, (flags & WILDCARD) !== 0)
      table.setFlags(flags)
      extensions?.set(table.slot, extras, settings.timeout ?? 0, now, !isThere)
      return fault.OK
    }
    if (table.count >= settings.maxelem) this.#makeRoom(now)
    if (table.count >= settings.maxelem) {
      if (!settings.forceadd || table.count === 0) return fault.HASH_FULL
      this.#evict()
    }
    if (this.devices !== undefined) this.key[this.layout.device] = this.devices.take(this.#device)
    table.insert(this.key, meta | flags)
    table.records.extensions?.set(table.slot, extras, settings.timeout ?? 0, now, true)
    this.#setWildcard(false, (flags & WILDCARD) !== 0)
    for (let i = 0; i < this.lengths.length; i++) this.lengths[i].add((meta >>> (8 * i)) & 0xff)
    return fault.OK
  }

  remove(meta: number, exist: boolean): number {
    if (!this.#find(meta)) return exist ? fault.OK : fault.NOT_ADDED
    const ended = this.table.records.extensions?.hasEnded(this.table.slot, this.surroundings.time.now) === true
    this.#removeFound()
    return ended && !exist ? fault.NOT_ADDED : fault.OK
  }

  /** YES, NO or EXCEPTED for `key` alone. */
  peek(meta: number): number {
    if (!this.#find(meta)) return NO
    if (this.table.records.extensions?.hasEnded(this.table.slot, this.surroundings.time.now)) return NO
    return (this.table.meta & NOMATCH) !== 0 ? EXCEPTED : YES
  }

  #setWildcard(was: boolean, is: boolean): void {
    if (was === is) return
    this.devices?.setWildcard(this.table.keyWord(this.layout.device), is)
  }

  /** Takes away the member at the table's place. */
  #removeFound(): void {
    const { table, devices } = this
    const { meta } = table
    this.#setWildcard((meta & WILDCARD) !== 0, false)
    devices?.give(table.keyWord(this.layout.device))
    for (let i = 0; i < this.lengths.length; i++) this.lengths[i].remove((meta >>> (8 * i)) & 0xff)
    table.remove()
  }

  /** Takes away what has ended. Packets that add to a set that is full are not to search all of it, each of them. */
  #makeRoom(now: number): void {
    if (this.settings.timeout === undefined || ((now - this.#searched) | 0) < SEARCH_PAUSE) return
    this.#searched = now
    while (!this.collect(Number.MAX_SAFE_INTEGER));
  }

  /** Makes place for a new member: any one goes (forceadd). */
  #evict(): void {
    this.table.goToAny(this.surroundings.random())
    this.#removeFound()
  }

  // ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────────

  addElement(element: Element, extras: Extras, exist: boolean): number {
    this.#searched = (this.surroundings.time.now - SEARCH_PAUSE) | 0
    const flags = (element.nomatch ? NOMATCH : 0) | (element.wildcard ? WILDCARD : 0)
    return new Expansion(this, element).each((meta) => this.insert(meta, extras, exist, flags))
  }

  deleteElement(element: Element, exist: boolean): number {
    return new Expansion(this, element).each((meta) => this.remove(meta, exist))
  }

  testElement(element: Element): boolean {
    let said = NO
    const wrong = new Expansion(this, element).first((meta) => {
      said = this.#testKey(meta)
      return fault.OK
    })
    if (wrong !== fault.OK) return false
    return element.nomatch ? said === EXCEPTED : said === YES
  }

  /** An address is looked for in networks; a network must be there itself. */
  #testKey(meta: number): number {
    const { lengths, layout } = this
    const host = bits(layout.family)
    const isHost = lengths.every((_, i) => ((meta >>> (8 * i)) & 0xff) === host)
    if (lengths.length === 0 || !isHost) return this.peek(meta)
    this.#whole.set(this.key)
    for (const length of lengths[0].list.subarray(0, lengths[0].size)) {
      layout.maskNet(0, length, this.#whole, this.key)
      for (const second of lengths[1]?.list.subarray(0, lengths[1].size) ?? [0]) {
        if (lengths[1] !== undefined) layout.maskNet(1, second, this.#whole, this.key)
        const said = this.peek((meta & PHYSDEV) | length | (second << 8))
        if (said !== NO) return said
      }
    }
    return NO
  }

  flush(): void {
    this.table = new MemberTable(this.#form)
    this.lengths = this.lengths.map(() => new PrefixLengths())
    if (this.devices !== undefined) this.devices = new DeviceNames()
    this.#toCollect = 0
  }

  clone(): HashSet {
    const copy = new HashSet(this.settings, this.surroundings, this.#form.seed)
    copy.table = this.table.clone()
    copy.lengths = this.lengths.map((lengths) => lengths.clone())
    copy.devices = this.devices?.clone()
    return copy
  }

  collect(limit: number): boolean {
    if (this.settings.timeout === undefined) return true
    const { table } = this
    const { now } = this.surroundings.time
    for (let left = limit; left > 0; ) {
      const { records, slots, next } = table.piece(this.#toCollect)
      left -= Math.min(records.size, PIECE)
      // The last one first: removal moves members that stand behind.
      for (let i = slots.length - 1; i >= 0; i--) {
        if (!records.extensions?.hasEnded(slots[i], now)) continue
        table.records = records
        table.slot = slots[i]
        this.#removeFound()
      }
      this.#toCollect = next < ALL_HASHES ? next : 0
      if (this.#toCollect === 0) return true
    }
    return false
  }

  members(options: MembersOptions = {}): Iterable<Listed | undefined> {
    return listHash(this, options)
  }
}
