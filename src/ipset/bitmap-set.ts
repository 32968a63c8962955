// Sets of the bitmap types: one place for each address, network or port of a range of at most 65536, and a bit that says
// whether it is there. bitmap:ip,mac keeps a link address beside; a place may be without one, and then the kernel fills in
// the first that a packet brings and begins the timeout then. Packets of TUN devices bring none, and never match here.

import type { Packet } from '../packet/packet.ts'
import { type Ask, accepts, NO, NO_PORT, plainPortOf, YES } from './ask.ts'
import type { Addresses, Element } from './element.ts'
import { Extensions, type Extras, SET_TIMEOUT } from './extensions.ts'
import * as fault from './fault.ts'
import type { IpSet, Listed, MembersOptions, Surroundings } from './set.ts'
import type { Settings } from './settings.ts'
import { formatEther, formatIp, maskWord } from './words.ts'

const MOST_PLACES = 65536

/** What is wrong with a bitmap's range; 0 when it will do. */
export function rangeFault(settings: Settings): number {
  const made = placesOf(settings)
  if (made === undefined) return fault.OUT_OF_RANGE
  return made.places > MOST_PLACES ? fault.RANGE_SIZE : fault.OK
}

interface Places {
  readonly from: number
  readonly to: number
  readonly places: number
  /** Addresses that share a place. */
  readonly hosts: number
}

/** undefined where a netmask is given and the range is no network that is larger than its networks. */
function placesOf({ from, to, netmask, type }: Settings): Places | undefined {
  if (netmask === undefined || type.parts[0] === 'port') return { from, to, places: to - from + 1, hosts: 1 }
  const hosts = 2 ** (32 - netmask)
  const first = from - (from % hosts)
  const last = to - (to % hosts) + hosts - 1
  const size = last - first + 1
  const isNetwork = Number.isInteger(Math.log2(size)) && first % size === 0
  if (!isNetwork || size <= hosts) return undefined
  return { from: first, to: last, places: size / hosts, hosts }
}

export class BitmapSet implements IpSet {
  readonly settings: Settings
  readonly #surroundings: Surroundings
  readonly #places: Places
  /** 1 where a member stands, 2 where its link address is missing. */
  readonly #state: Uint8Array
  readonly #extensions: Extensions
  readonly #macs: Int32Array | undefined
  #count = 0
  #collected = 0

  constructor(settings: Settings, surroundings: Surroundings, from?: BitmapSet) {
    const places = placesOf(settings) as Places
    this.#places = places
    // What is listed is the range in whole networks.
    this.settings = { ...settings, from: places.from, to: places.to }
    this.#surroundings = surroundings
    this.#state = from === undefined ? new Uint8Array(places.places) : from.#state.slice()
    this.#extensions = from === undefined ? Extensions.alone(settings.kinds, places.places) : from.#extensions.clone()
    if (settings.type.parts.includes('mac'))
      this.#macs = from === undefined ? new Int32Array(2 * places.places) : from.#macs?.slice()
    this.#count = from === undefined ? 0 : from.#count
  }

  get byteLength(): number {
    return this.#state.byteLength + this.#extensions.byteLength + (this.#macs?.byteLength ?? 0)
  }

  get count(): number {
    return this.#count
  }

  // ── packets ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  test(p: Packet, ask: Ask): number {
    const place = this.#placeOf(p, ask)
    if (place < 0 || this.#state[place] !== 1) return NO
    return accepts(this.#extensions, place, ask, p.length, this.#surroundings.time.now) ? YES : NO
  }

  add(p: Packet, ask: Ask): number {
    const place = this.#placeOf(p, ask)
    return place < 0 ? fault.OUT_OF_RANGE : this.#put(place, ask.extras, ask.exist)
  }

  delete(p: Packet, ask: Ask): number {
    const place = this.#placeOf(p, ask)
    return place < 0 ? fault.OUT_OF_RANGE : this.#take(place, ask.exist)
  }

  /** The place that a packet's address or port has, -1 for none. */
  #placeOf(p: Packet, ask: Ask): number {
    if (this.#macs !== undefined) return -1
    const source = ask.isSource(0)
    if (this.settings.type.parts[0] !== 'port') return this.#place((source ? p.source : p.destination) >>> 0)
    const port = plainPortOf(p, source)
    return port === NO_PORT ? -1 : this.#place(port)
  }

  #place(value: number): number {
    const { from, to, hosts } = this.#places
    return value < from || value > to ? -1 : ((value - from) / hosts) | 0
  }

  // ── one place ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #isThere(place: number): boolean {
    // A link address that is missing keeps the member from ending.
    if (this.#state[place] === 2) return true
    return this.#state[place] === 1 && !this.#extensions.hasEnded(place, this.#surroundings.time.now)
  }

  #put(place: number, extras: Extras, exist: boolean, state = 1): number {
    const isThere = this.#isThere(place)
    if (isThere) {
      // A member without a link address can be given one.
      const fills = this.#state[place] === 2 && state === 1
      if (!exist && !fills) return fault.EXIST
    }
    if (this.#state[place] === 0) this.#count++
    // A link address that was known stays when none is given.
    this.#state[place] = state === 2 && this.#state[place] === 1 ? 1 : state
    this.#extensions.set(place, extras, this.settings.timeout ?? 0, this.#surroundings.time.now, !isThere)
    return fault.OK
  }

  #take(place: number, exist: boolean): number {
    const was = this.#isThere(place)
    if (this.#state[place] !== 0) this.#remove(place)
    return was || exist ? fault.OK : fault.NOT_ADDED
  }

  #remove(place: number): void {
    this.#state[place] = 0
    this.#count--
    this.#extensions.forget(place)
  }

  // ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────────

  refuses({ port }: Element): number {
    // The kernel's set types differ here.
    return this.settings.type.parts[0] === 'port' && this.#place(port) < 0 ? fault.OUT_OF_RANGE : fault.OK
  }

  addElement(element: Element, extras: Extras, exist: boolean): number {
    return this.#each(element, (place) => {
      if (this.#macs === undefined) return this.#put(place, extras, exist)
      const { mac } = element
      const wrong = this.#put(place, extras, exist, mac === undefined ? 2 : 1)
      if (wrong === fault.OK && mac !== undefined) this.#macs.set(mac, 2 * place)
      if (wrong === fault.OK && this.#state[place] === 2) this.#keepTimeout(place, extras)
      return wrong
    })
  }

  /** The timeout of a member without a link address waits: it is kept as it was given. */
  #keepTimeout(place: number, { timeout }: Extras): void {
    this.#extensions.setEnd(place, timeout === SET_TIMEOUT ? (this.settings.timeout ?? 0) : timeout)
  }

  deleteElement(element: Element, exist: boolean): number {
    return this.#each(element, (place) => this.#take(place, exist))
  }

  testElement(element: Element): boolean {
    let there = false
    this.#each(element, (place) => {
      there = this.#isThere(place)
      const macs = this.#macs
      // Where the link address is missing, any will do.
      if (this.#state[place] === 1 && macs !== undefined && element.mac !== undefined)
        there = there && macs[2 * place] === element.mac[0] && macs[2 * place + 1] === element.mac[1]
      return fault.OK
    })
    return there
  }

  #each(element: Element, visit: (place: number) => number): number {
    const { hosts } = this.#places
    const ends = this.settings.type.parts[0] === 'port' ? portsOf(element) : addressesOf(element.first as Addresses)
    if (typeof ends === 'number') return ends
    if (this.#place(ends[0]) < 0 || this.#place(ends[1]) < 0) return fault.OUT_OF_RANGE
    // In steps of a network from where the range begins, which need not be where a network does.
    for (let value = ends[0]; value <= ends[1]; value += hosts) {
      const wrong = visit(this.#place(value))
      if (wrong !== fault.OK) return wrong
    }
    return fault.OK
  }

  flush(): void {
    for (let place = 0; place < this.#state.length; place++) if (this.#state[place] !== 0) this.#remove(place)
  }

  clone(): BitmapSet {
    return new BitmapSet(this.settings, this.#surroundings, this)
  }

  collect(limit: number): boolean {
    if (this.settings.timeout === undefined) return true
    const { now } = this.#surroundings.time
    const size = this.#state.length
    let left = Math.min(limit, size)
    for (; left > 0; left--) {
      const place = this.#collected
      this.#collected = (place + 1) % size
      if (this.#state[place] === 1 && this.#extensions.hasEnded(place, now)) this.#remove(place)
    }
    return limit >= size || this.#collected === 0
  }

  *members({ nameOf }: MembersOptions = {}): Generator<Listed> {
    const extensions = this.#extensions
    const listed: Listed = { text: '', nomatch: false, wildcard: false, timeout: 0, extensions, place: 0 }
    for (let place = 0; place < this.#state.length; place++) {
      if (!this.#isThere(place)) continue
      listed.text = this.#format(place, nameOf)
      listed.place = place
      // Without a link address the timeout is kept as it was given, and waits.
      const waits = this.#state[place] === 2
      listed.timeout = waits ? extensions.end(place) : extensions.secondsLeft(place, this.#surroundings.time.now)
      yield listed
    }
  }

  #format(place: number, nameOf: MembersOptions['nameOf']): string {
    const { from, hosts } = this.#places
    if (this.settings.type.parts[0] === 'port') return String(from + place)
    const address = formatIp([(from + place * hosts) | 0], 0, 4)
    const text = nameOf?.(address) ?? address
    const macs = this.#macs
    if (macs === undefined || this.#state[place] === 2) return text
    return `${text},${formatEther(macs[2 * place], macs[2 * place + 1])}`
  }
}

/** First and last, or a fault. */
function addressesOf({ ip, to, length }: Addresses): [number, number] | number {
  const from = ip[0] >>> 0
  if (to !== undefined) return [Math.min(from, to >>> 0), Math.max(from, to >>> 0)]
  if (length === undefined) return [from, from]
  if (length === 0) return fault.INVALID_CIDR
  const mask = maskWord(length, 0)
  return [(from & mask) >>> 0, (from | ~mask) >>> 0]
}

function portsOf({ port, portTo }: Element): [number, number] {
  return [Math.min(port, portTo), Math.max(port, portTo)]
}
