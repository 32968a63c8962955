// Match recent (xt_recent): lists of addresses by name, each entry with the times at which it was seen. Rules that give one
// name share the list. A list holds 100 addresses (ip_list_tot); a new one pushes out the one that was longest without
// being set or updated. The mask is that of the first rule that named the list; how many times are kept follows from
// the largest --hitcount, and a rule that wants more of them than there are empties the list, as Linux does.

import { NO_LINK } from '../device/link.ts'
import type { Packet } from '../packet/packet.ts'
import { formatAny, parseAton, parseStrict } from '../rule/address.ts'
import { defineMatch, lastOf, NotTaken } from '../rule/define.ts'
import { apart, words } from '../rule/listing.ts'
import type { Family } from '../rule/model.ts'
import { flag, Problem, shown, text, u32, unexpected, word } from '../rule/option.ts'
import { TTL } from '../wire/ipv4.ts'
import { HOP_LIMIT } from '../wire/ipv6.ts'

/** ip_list_tot: addresses in a list. */
const ENTRIES = 100
/** Times kept of an address where no --hitcount asks for more. */
const STAMPS = 32
const NONE = -1

/** Words of an address; IPv4 has the first. */
const WORDS = 4

/** Entries are numbers from 0 to ENTRIES - 1; all that is known of them lies in arrays, so that packets allocate nothing. */
export class RecentList {
  /** Of WORDS words. */
  readonly #mask: readonly number[]
  #stampMask: number
  /** WORDS each. */
  readonly #addresses = new Int32Array(ENTRIES * WORDS)
  readonly #families = new Uint8Array(ENTRIES)
  readonly #ttls = new Uint8Array(ENTRIES)
  /** Rings of times; an entry's is made when it is first used. */
  readonly #stamps: (Float64Array | undefined)[] = new Array(ENTRIES).fill(undefined)
  readonly #counts = new Int32Array(ENTRIES)
  readonly #places = new Int32Array(ENTRIES)
  /** When each was last set or updated, in the order of these events; 0 for a free one. */
  readonly #used = new Float64Array(ENTRIES)
  #uses = 0
  // The address that is looked for, under the mask.
  #family = 4
  readonly #sought = new Int32Array(WORDS)

  /** @param mask of one word for IPv4, which leaves IPv6's other words whole */
  constructor(mask: readonly number[], stamps: number) {
    this.#mask = [...mask, -1, -1, -1].slice(0, WORDS)
    this.#stampMask = stamps - 1
  }

  /** Makes sure that `stamps` (a power of two) times are kept. */
  keep(stamps: number): void {
    if (stamps - 1 <= this.#stampMask) return
    this.#stampMask = stamps - 1
    this.#stamps.fill(undefined)
    this.#used.fill(0)
  }

  /** The address that find() and add() are about. */
  seek(family: Family, word0: number, word1: number, word2: number, word3: number): void {
    const mask = this.#mask
    const sought = this.#sought
    this.#family = family
    sought[0] = word0 & mask[0]
    sought[1] = word1 & mask[1]
    sought[2] = word2 & mask[2]
    sought[3] = word3 & mask[3]
  }

  /** The entry of the address; with a TTL above 0 only if it was last seen with that one. */
  find(ttl: number): number {
    const sought = this.#sought
    const addresses = this.#addresses
    for (let i = 0; i < ENTRIES; i++) {
      const at = i * WORDS
      if (
        addresses[at] !== sought[0] ||
        addresses[at + 3] !== sought[3] ||
        addresses[at + 2] !== sought[2] ||
        addresses[at + 1] !== sought[1] ||
        this.#used[i] === 0 ||
        this.#families[i] !== this.#family
      )
        continue
      return ttl === 0 || this.#ttls[i] === ttl || this.#ttls[i] === 0 ? i : NONE
    }
    return NONE
  }

  add(ttl: number, now: number): void {
    let at = 0
    for (let i = 1; i < ENTRIES && this.#used[at] !== 0; i++) if (this.#used[i] < this.#used[at]) at = i
    this.#addresses.set(this.#sought, at * WORDS)
    this.#families[at] = this.#family
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
const HITS_MAX = 0xffff
const EXPECTS_NAME = "a list's name of 1 to 199 bytes, without / and not . or .."
const SOUGHT = { 4: [seekSource4, seekDestination4], 6: [seekSource6, seekDestination6] } as const
const EXPECTS_MASK = { 4: 'a mask in four parts as in 255.255.255.0', 6: 'a mask as in ffff:ffff::' } as const

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
  hitcount: u32().help('seen so often'),
  rttl: flag().help('seen with the TTL that this packet has'),
  name: word(
    EXPECTS_NAME,
    (given, context) =>
      /^\.{0,2}$|\//.test(given)
        ? new Problem(`${shown(given)} can be no list's name: expected ${EXPECTS_NAME}`, 0, 'tables')
        : name.kind.parse([given], context),
    (value) => value,
  )
    .default('DEFAULT', true)
    .help('the list'),
  mask: word<readonly number[]>(
    `${EXPECTS_MASK[4]}, or for IPv6 ${EXPECTS_MASK[6]}`,
    (given, { family }) => readMask(given, family) ?? unexpected(given, EXPECTS_MASK[family]),
    formatAny,
  ).help('what of the address counts'),
  rsource: flag().help('the source address is meant; so it is without --rdest too'),
  rdest: flag().help('the destination address is meant'),
}

export const recent = defineMatch({
  name: 'recent',
  summary: 'lists of addresses that were seen lately',
  options,
  exclusive: [
    ['set', 'rcheck', 'update', 'remove'],
    ['set', 'rttl'],
    ['remove', 'rttl'],
  ],
  anyOf: ['set', 'rcheck', 'update', 'remove'],
  normalize: (o, { family }) => {
    const destination = lastOf(o, ['rsource', 'rdest']) === 'rdest'
    return {
      ...o,
      mask: o.mask ?? (family === 4 ? [-1] : [-1, -1, -1, -1]),
      hitcount: o.hitcount === 0 ? undefined : o.hitcount,
      rsource: destination ? undefined : (true as const),
      rdest: destination ? (true as const) : undefined,
    }
  },
  check: (o) => {
    if (o.reap !== undefined && o.seconds === undefined) return '--reap needs --seconds'
    if ((o.hitcount ?? 0) > HITS_MAX)
      return new NotTaken('tables', `--hitcount ${o.hitcount} is too large: expected at most ${HITS_MAX}`)
    const changes = o.set !== undefined ? '--set' : o.remove !== undefined ? '--remove' : undefined
    const asks = o.seconds !== undefined ? '--seconds' : o.hitcount !== undefined ? '--hitcount' : undefined
    return changes !== undefined && asks !== undefined
      ? new NotTaken('tables', `${asks} cannot stand with ${changes}`)
      : undefined
  },
  list: (o) => {
    const way = o.set ?? o.rcheck ?? o.update ?? o.remove
    const name = o.set ? 'SET' : o.rcheck ? 'CHECK' : o.update ? 'UPDATE' : 'REMOVE'
    return words(
      `${apart(way)}recent: ${name}`,
      o.seconds !== undefined && `seconds: ${options.seconds.kind.format(o.seconds)}`,
      o.reap && 'reap',
      o.hitcount !== undefined && `hit_count: ${o.hitcount}`,
      o.rttl && 'TTL-Match',
      `name: ${o.name}`,
      `side: ${o.rdest ? 'dest' : 'source'}`,
      o.mask && `mask: ${formatAny(o.mask)}`,
    )
  },
  match: (o, { shared, time }, { family }) => {
    const stamps = o.hitcount === undefined ? STAMPS : 1 << (32 - Math.clz32(o.hitcount - 1))
    const list = shared.of('recent', o.name, () => new RecentList(o.mask ?? [], stamps))
    list.keep(stamps)
    const miss = [o.set, o.rcheck, o.update, o.remove].some((given) => given?.not) ? 1 : 0
    const seek = SOUGHT[family][o.rdest === undefined ? 0 : 1]
    const ttlAt = family === 4 ? TTL : HOP_LIMIT
    const withTtl = o.rttl === true
    const set = o.set !== undefined
    const remove = o.remove !== undefined
    const update = o.update !== undefined
    const reap = o.reap === true
    const span = (o.seconds ?? Number.POSITIVE_INFINITY) * 1000
    const hits = o.hitcount ?? 1
    return (p) => {
      const now = Math.floor(time.wall)
      // As the packet had it when it came, before it was forwarded; what comes from a socket was not.
      const ttl = p.view.getUint8(p.start + ttlAt) + (p.outLink !== NO_LINK && !p.socket ? 1 : 0)
      seek(list, p)
      const entry = list.find(withTtl ? ttl : 0)
      if (set) {
        if (entry < 0) {
          list.add(ttl, now)
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

function readMask(text: string, family: Family): readonly number[] | undefined {
  if (family === 6) return parseStrict(text, 6)
  const mask = parseAton(text)
  return mask === undefined ? undefined : [mask]
}

function seekSource4(list: RecentList, p: Packet): void {
  list.seek(4, p.source, 0, 0, 0)
}

function seekDestination4(list: RecentList, p: Packet): void {
  list.seek(4, p.destination, 0, 0, 0)
}

function seekSource6(list: RecentList, p: Packet): void {
  list.seek(6, p.source, p.source1, p.source2, p.source3)
}

function seekDestination6(list: RecentList, p: Packet): void {
  list.seek(6, p.destination, p.destination1, p.destination2, p.destination3)
}
