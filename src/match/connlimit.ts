// Match connlimit (xt_connlimit over nf_conncount): how many flows an address, or a network, has open. A rule counts by itself, from
// when it is loaded. A flow is counted from its first packet; a packet of a flow that is confirmed changes nothing. When a
// new flow comes, those of the same address that ended, were never confirmed, or are closed (TCP) are taken off before it is counted.

import type { Conntrack } from '../conntrack/conntrack.ts'
import * as f from '../conntrack/record.ts'
import { state as tcpState } from '../conntrack/tcp-record.ts'
import { CLOSE, TIME_WAIT } from '../conntrack/tcp-states.ts'
import { NO_FLOW, type Packet } from '../packet/packet.ts'
import { maskLength, parseMask } from '../rule/address.ts'
import { defineMatch, HOTDROP } from '../rule/define.ts'
import { flag, u32, unexpected, word } from '../rule/option.ts'
import { maskOf } from '../wire/address.ts'
import * as ip from '../wire/ipv4.ts'

const EXPECTS_MASK = 'a length from 0 to 32'
const count = u32().negatable()

export const connlimit = defineMatch({
  name: 'connlimit',
  summary: 'how many flows an address or a network has open',
  families: [4],
  conntrack: true,
  options: {
    'connlimit-upto': count.help('at most so many'),
    'connlimit-above': count.help('more than so many'),
    'connlimit-mask': word(
      EXPECTS_MASK,
      (given) => {
        const read = parseMask(given, 4)
        return (read === undefined ? undefined : maskLength(read)) ?? unexpected(given, EXPECTS_MASK)
      },
      String,
    )
      .default(32, true)
      .help('addresses are taken together that agree in so many bits'),
    'connlimit-saddr': flag().help('the source address is meant; so it is without --connlimit-daddr too'),
    'connlimit-daddr': flag().help('the destination address is meant'),
  },
  exclusive: [
    ['connlimit-upto', 'connlimit-above'],
    ['connlimit-saddr', 'connlimit-daddr'],
  ],
  anyOf: ['connlimit-upto', 'connlimit-above'],
  normalize: (o) => {
    const upto = o['connlimit-upto']
    const above = o['connlimit-above']
    const value = (upto ?? above)?.value ?? 0
    const isUpto = upto === undefined ? above?.not === true : !upto.not
    return {
      ...o,
      'connlimit-upto': isUpto ? { value, not: false } : undefined,
      'connlimit-above': isUpto ? undefined : { value, not: false },
      'connlimit-saddr': o['connlimit-daddr'] ? undefined : (true as const),
    }
  },
  list: (o) => {
    const { value } = o['connlimit-upto'] ?? o['connlimit-above'] ?? { value: 0 }
    const of = `${o['connlimit-daddr'] ? 'dst' : 'src'}/${o['connlimit-mask']}`
    return `#conn ${of} ${o['connlimit-upto'] === undefined ? '>' : '<='} ${value}`
  },
  match: (o, { conntrack, time }) => {
    const upto = o['connlimit-upto']
    const limit = (upto ?? o['connlimit-above'])?.value ?? 0
    const within = upto === undefined ? 0 : 1
    const mask = maskOf(o['connlimit-mask'])
    const ofSource = o['connlimit-daddr'] === undefined
    const open = new OpenFlows(conntrack, time)
    return (p) => {
      const flows = open.count(p, (ofSource ? p.source : p.destination) & mask)
      if (flows === 0) return HOTDROP
      return flows > limit ? 1 - within : within
    }
  },
})

/** How many addresses there may be before those without open flows are looked for. */
const SWEEP = 256

/** Flows of one address: tuples of FIELDS words. */
interface Group {
  tuples: Int32Array
  count: number
}

const FIELDS = 4

class OpenFlows {
  readonly #conntrack: Conntrack
  readonly #time: { readonly now: number }
  readonly #groups = new Map<number, Group>()
  #sweepAt = SWEEP
  // The packet's tuple.
  #source = 0
  #destination = 0
  #ports = 0
  #key = 0

  constructor(conntrack: Conntrack, time: { readonly now: number }) {
    this.#conntrack = conntrack
    this.#time = time
  }

  /** The flows of this address, the packet's among them; 0 where it has no tuple. */
  count(p: Packet, address: number): number {
    const { flows } = this.#conntrack
    if (!this.#read(p)) return 0
    const place = (this.#key >>> 8) * 2 ** 32 + (address >>> 0)
    const known = this.#groups.get(place)
    if (known !== undefined && p.ct !== NO_FLOW && (flows.status(p.ct) & f.CONFIRMED) !== 0) return known.count
    const group = known ?? this.#add(place)
    this.#clean(group)
    this.#append(group)
    return group.count
  }

  /** The original tuple of the packet's flow, or the packet's own. */
  #read(p: Packet): boolean {
    if (p.ct !== NO_FLOW) {
      const { words } = this.#conntrack.flows
      const base = p.ct * f.WORDS
      this.#source = words[base + f.SOURCE]
      this.#destination = words[base + f.DESTINATION]
      this.#ports = words[base + f.PORTS]
      this.#key = words[base + f.KEY]
      return true
    }
    if ((p.fragment & ip.FRAGMENT_OFFSET_MASK) !== 0) return false
    if (p.transport === 0 && p.protocol !== ip.PROTO_IGMP && p.length > p.headerLength) return false
    this.#source = p.source
    this.#destination = p.destination
    this.#ports = (p.sport << 16) | p.dport
    this.#key = f.keyIn(p.protocol, p.zone, 0)
    return true
  }

  #add(place: number): Group {
    if (this.#groups.size >= this.#sweepAt) {
      for (const [at, group] of this.#groups) {
        this.#clean(group)
        if (group.count === 0) this.#groups.delete(at)
      }
      this.#sweepAt = Math.max(SWEEP, 2 * this.#groups.size)
    }
    const group = { tuples: new Int32Array(4 * FIELDS), count: 0 }
    this.#groups.set(place, group)
    return group
  }

  /** Takes off what is open no longer. */
  #clean(group: Group): void {
    const { tuples } = group
    for (let i = 0; i < group.count; ) {
      const at = i * FIELDS
      if (this.#isOpen(tuples[at], tuples[at + 1], tuples[at + 2], tuples[at + 3])) i++
      else tuples.copyWithin(at, --group.count * FIELDS, (group.count + 1) * FIELDS)
    }
  }

  #isOpen(source: number, destination: number, ports: number, key: number): boolean {
    const { flows } = this.#conntrack
    const found = flows.find(source, destination, ports, key)
    if (found < 0) return false
    const ct = found >> 1
    if (((flows.expires(ct) - this.#time.now) | 0) <= 0) return false
    if ((key & 0xff) !== ip.PROTO_TCP) return true
    const state = tcpState(flows.words, ct * f.WORDS + f.TRACKER)
    return state !== TIME_WAIT && state !== CLOSE
  }

  #append(group: Group): void {
    const { count } = group
    for (let at = 0; at < count * FIELDS; at += FIELDS) {
      const t = group.tuples
      if (
        t[at] === this.#source &&
        t[at + 1] === this.#destination &&
        t[at + 2] === this.#ports &&
        t[at + 3] === this.#key
      )
        return
    }
    if ((count + 1) * FIELDS > group.tuples.length) {
      const larger = new Int32Array(2 * group.tuples.length)
      larger.set(group.tuples)
      group.tuples = larger
    }
    group.tuples.set([this.#source, this.#destination, this.#ports, this.#key], count * FIELDS)
    group.count++
  }
}
