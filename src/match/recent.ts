// Match recent (xt_recent): lists of addresses by name, each entry with the times at which it was seen. Rules that give one
// name share the list. A list holds 100 addresses (ip_list_tot); a new one pushes out the one that was longest without
// being set or updated. The mask is that of the first rule that named the list; how many times are kept follows from
// the largest --hitcount, and a rule that wants more of them than there are empties the list, as Linux does.

import { NO_LINK } from '../device/link.ts'
import { parseAton } from '../rule/address.ts'
import { defineMatch, lastOf } from '../rule/define.ts'
import { flag, text, u32, unexpected, word } from '../rule/option.ts'
import { formatAddress } from '../wire/address.ts'
import { TTL } from '../wire/ipv4.ts'

/** ip_list_tot: addresses in a list. */
const ENTRIES = 100
/** Times kept of an address where no --hitcount asks for more. */
const STAMPS = 32
const NONE = -1

/** Entries are numbers from 0 to ENTRIES - 1; all that is known of them lies in arrays, so that packets allocate nothing. */
export class RecentList {
  readonly #mask: number
  #stampMask: number
  readonly #addresses = new Int32Array(ENTRIES)
  readonly #ttls = new Uint8Array(ENTRIES)
  /** Rings of times; an entry's is made when it is first used. */
  readonly #stamps: (Float64Array | undefined)[] = new Array(ENTRIES).fill(undefined)
  readonly #counts = new Int32Array(ENTRIES)
  readonly #places = new Int32Array(ENTRIES)
  /** When each was last set or updated, in the order of these events; 0 for a free one. */
  readonly #used = new Float64Array(ENTRIES)
  #uses = 0

  constructor(mask: number, stamps: number) {
    this.#mask = mask
    this.#stampMask = stamps - 1
  }

  /** Makes sure that `stamps` (a power of two) times are kept. */
  keep(stamps: number): void {
    if (stamps - 1 <= this.#stampMask) return
    this.#stampMask = stamps - 1
    this.#stamps.fill(undefined)
    this.#used.fill(0)
  }

  /** The entry of an address; with a TTL above 0 only if it was last seen with that one. */
  find(address: number, ttl: number): number {
    const wanted = address & this.#mask
    for (let i = 0; i < ENTRIES; i++) {
      if (this.#addresses[i] !== wanted || this.#used[i] === 0) continue
      return ttl === 0 || this.#ttls[i] === ttl || this.#ttls[i] === 0 ? i : NONE
    }
    return NONE
  }

  add(address: number, ttl: number, now: number): void {
    let at = 0
    for (let i = 1; i < ENTRIES && this.#used[at] !== 0; i++) if (this.#used[i] < this.#used[at]) at = i
    this.#addresses[at] = address & this.#mask
    this.#ttls[at] = ttl
    this.#stampsOf(at)[0] = now
    this.#counts[at] = 1
    this.#places[at] = 1
    this.#used[at] = ++this.#uses
  }

  update(entry: number, ttl: number, now: number): void {
    const place = this.#places[entry] & this.#stampMask
    this.#stampsOf(entry)[place] = now
    this.#places[entry] = place + 1
    if (place + 1 > this.#counts[entry]) this.#counts[entry] = place + 1
    this.#ttls[entry] = ttl
    this.#used[entry] = ++this.#uses
  }

  remove(entry: number): void {
    this.#used[entry] = 0
  }

  /** Whether the entry was seen since a time, or, with `hits`, so often since then. */
  seen(entry: number, since: number, hits: number): boolean {
    const stamps = this.#stampsOf(entry)
    let count = 0
    for (let i = 0; i < this.#counts[entry]; i++) if (stamps[i] >= since && ++count >= hits) return true
    return false
  }

  /** Removes the entry that was longest unused, if it was last seen before a time: one for each call, as Linux does. */
  reap(before: number): void {
    let oldest = NONE
    for (let i = 0; i < ENTRIES; i++)
      if (this.#used[i] !== 0 && (oldest === NONE || this.#used[i] < this.#used[oldest])) oldest = i
    if (oldest !== NONE && this.#stampsOf(oldest)[this.#places[oldest] - 1] < before) this.remove(oldest)
  }

  #stampsOf(entry: number): Float64Array {
    let stamps = this.#stamps[entry]
    if (stamps === undefined) {
      stamps = new Float64Array(this.#stampMask + 1)
      this.#stamps[entry] = stamps
    }
    return stamps
  }
}

const name = text({ max: 199, cut: true })
const seconds = u32({ min: 1 })
const EXPECTS_NAME = "a list's name of 1 to 199 bytes, without / and not . or .."
const EXPECTS_MASK = 'a mask in four parts as in 255.255.255.0'

const options = {
  set: flag().negatable().help('the address is put on the list'),
  rcheck: flag().negatable().help('the address is on the list'),
  update: flag().negatable().help('the address is on the list, and is seen once more'),
  remove: flag().negatable().help('the address was on the list, and is taken off'),
  // Printed as iptables prints it: as a signed number.
  seconds: word(
    seconds.kind.expects,
    (given, context) => seconds.kind.parse([given], context),
    (value) => String(value | 0),
  ).help('seen within so many seconds'),
  reap: flag().help('with --seconds: the oldest entry is taken off when it is older than that'),
  hitcount: u32({ max: 0xffff }).help('seen so often'),
  rttl: flag().help('seen with the TTL that this packet has'),
  name: word(
    EXPECTS_NAME,
    (given, context) =>
      /^\.{0,2}$|\//.test(given) ? unexpected(given, EXPECTS_NAME) : name.kind.parse([given], context),
    (value) => value,
  )
    .default('DEFAULT', true)
    .help('the list'),
  mask: word(EXPECTS_MASK, (given) => parseAton(given) ?? unexpected(given, EXPECTS_MASK), formatAddress)
    .default(-1, true)
    .help('what of the address counts'),
  rsource: flag().help('the source address is meant; so it is without --rdest too'),
  rdest: flag().help('the destination address is meant'),
}

export const recent = defineMatch({
  name: 'recent',
  summary: 'lists of addresses that were seen lately',
  families: [4],
  options,
  exclusive: [
    ['set', 'rcheck', 'update', 'remove'],
    ['set', 'rttl'],
    ['remove', 'rttl'],
  ],
  anyOf: ['set', 'rcheck', 'update', 'remove'],
  normalize: (o) => {
    const destination = lastOf(o, ['rsource', 'rdest']) === 'rdest'
    return {
      ...o,
      hitcount: o.hitcount === 0 ? undefined : o.hitcount,
      rsource: destination ? undefined : (true as const),
      rdest: destination ? (true as const) : undefined,
    }
  },
  check: (o) => {
    if (o.reap !== undefined && o.seconds === undefined) return '--reap needs --seconds'
    const changes = o.set !== undefined ? '--set' : o.remove !== undefined ? '--remove' : undefined
    const asks = o.seconds !== undefined ? '--seconds' : o.hitcount !== undefined ? '--hitcount' : undefined
    return changes !== undefined && asks !== undefined ? `${asks} cannot stand with ${changes}` : undefined
  },
  match: (o, { shared, time }) => {
    const stamps = o.hitcount === undefined ? STAMPS : 1 << (32 - Math.clz32(o.hitcount - 1))
    const list = shared.of('recent', o.name, () => new RecentList(o.mask, stamps))
    list.keep(stamps)
    const miss = [o.set, o.rcheck, o.update, o.remove].some((given) => given?.not) ? 1 : 0
    const ofSource = o.rdest === undefined
    const withTtl = o.rttl === true
    const set = o.set !== undefined
    const remove = o.remove !== undefined
    const update = o.update !== undefined
    const reap = o.reap === true
    const span = (o.seconds ?? Number.POSITIVE_INFINITY) * 1000
    const hits = o.hitcount ?? 1
    return (p) => {
      const now = Math.floor(time.wall)
      const address = ofSource ? p.source : p.destination
      // As the packet had it when it came, before it was forwarded; what comes from a socket was not.
      const ttl = p.view.getUint8(p.start + TTL) + (p.outLink !== NO_LINK && !p.socket ? 1 : 0)
      const entry = list.find(address, withTtl ? ttl : 0)
      if (set) {
        if (entry < 0) {
          list.add(address, ttl, now)
          return 1 - miss
        }
        list.update(entry, ttl, now)
        return 1 - miss
      }
      if (entry < 0) return miss
      if (remove) {
        list.remove(entry)
        return 1 - miss
      }
      const said = list.seen(entry, now - span, hits) ? 1 - miss : miss
      if (reap) list.reap(now - span)
      if (update && said === 1) list.update(entry, ttl, now)
      return said
    }
  },
})
