// The flow table while it grows, while as many flows expire as come, and while it is full: in memory, through the whole engine,
// with NAT and 20 rules. The clock is turned by hand, so that flows live as long as the rate asked for makes a table of the
// size asked for. Pauses are processor time of single rounds of at most 64 packets.

import { FloodDevice } from '../../src/cost/flood.ts'
import { Engine } from '../../src/engine.ts'
import { VirtualClock } from '../../src/time.ts'
import { figure, quantile, type Result, say, type Target } from '../figure.ts'
import { type Flow, flow, LENGTH, writePacket } from '../packets.ts'
import { CONFIG, rules } from './config.ts'

/** New flows a second that are wanted to be sustained. */
const RATE = 200_000
/** As many at least come while others expire or are let go of, also where the table is small. */
const AT_LEAST = 200_000
/** Entries of the index in a row that somebody who chooses tuples may bring about at most; chance makes some 100. */
const RUN_ALLOWED = 300
/** Milliseconds that a round may take at most: what waits then is what a pause would be. */
const PAUSE_ALLOWED = 5
const CHUNK = 50_000
const ROUND = 64
/** Above what lives at the same time: tables that are nearly full let go of flows. */
const ROOM = 1.3

export interface FlowsTask {
  readonly flows: number
}

/** How flow number i looks. */
type Shape = (i: number) => Flow

/** Differ in few bits only, and those far apart: what a weak hash would put together. */
const sparse: Shape = (i) => ({
  source: (10 << 24) | ((i & 0xff) << 16) | 0,
  destination: (100 << 24) | (((i >>> 8) & 0xff) << 16) | 0,
  sport: 1024 + ((i >>> 16) << 10),
  dport: 53,
})

/** Inverse of 0x27d4eb2f among the numbers of 32 bits. */
const INVERSE = inverse(0x27d4eb2f)

function inverse(odd: number): number {
  let found = odd
  for (let i = 0; i < 5; i++) found = Math.imul(found, 2 - Math.imul(odd, found))
  return found
}

/**
 * All of them have one hash in a table that multiplies and shifts word by word without a secret: the ports take back what the addresses
 * made.
 */
const chosen: Shape = (i) => {
  const source = (10 << 24) + 0x10000 + 1 + (i & 0xff)
  const destination = ((100 << 24) + (i >>> 8) + 1) | 0
  const h = Math.imul(source, 0x85ebca6b)
  const v = Math.imul((h ^ (h >>> 15)) + destination, 0xc2b2ae35)
  const ports = (Math.imul(0x12345678, INVERSE) - (v ^ (v >>> 13))) | 0
  return { source, destination, sport: ports >>> 16, dport: ports & 0xffff }
}

export function flows({ flows: size }: FlowsTask): Result {
  const where = `${size.toLocaleString('en')} flows`
  const ours = { who: 'tunfilter' }
  say(`flows: ${where}`)
  // A small table's flows would live for less than a second.
  const life = Math.max(1, size / RATE)
  const table = new Table(size * ROOM, life, size / life)
  const growing = table.make(size, 0, flow)
  say(`  growing: ${growing.nanoseconds.toFixed(0)} ns a new flow, longest round ${growing.longest.toFixed(2)} ms`)
  // As many come again as there are, and those before them expire.
  const coming = Math.max(size, AT_LEAST)
  const steady = table.make(coming, size, flow)
  const { count, dropped } = table
  table.close()
  say(
    `  as many expire: ${steady.nanoseconds.toFixed(0)} ns, longest round ${steady.longest.toFixed(2)} ms, ${count} flows`,
  )
  const full = new Table(size, 3600)
  full.make(size, 0, flow)
  const dropping = full.make(AT_LEAST, size, flow)
  full.close()
  say(`  full: ${dropping.nanoseconds.toFixed(0)} ns, longest round ${dropping.longest.toFixed(2)} ms`)
  const kinds = [
    { what: 'a new flow while the table grows', taken: growing },
    { what: 'a new flow while as many expire', taken: steady },
    { what: 'a new flow while the table is full, one that is not assured goes', taken: dropping },
  ]
  const targets: Target[] = [
    {
      what: `new flows a second while as many expire, ${where}`,
      wanted: `at least ${RATE.toLocaleString('en')}`,
      got: Math.round(1e9 / steady.nanoseconds).toLocaleString('en'),
      held: 1e9 / steady.nanoseconds >= RATE,
    },
    {
      what: `packets dropped while as many flows expire as come, ${where}`,
      wanted: 'none',
      got: String(dropped),
      held: dropped === 0,
    },
    ...kinds.map(({ what, taken }) => ({
      what: `longest round, ${what}, ${where}`,
      wanted: `at most ${PAUSE_ALLOWED} ms`,
      got: `${taken.longest.toFixed(2)} ms`,
      held: taken.longest <= PAUSE_ALLOWED,
    })),
  ]
  const figures = kinds.flatMap(({ what, taken }) => [
    figure(what, where, 'ns', taken.costs, ours),
    figure('longest round', `${what}, ${where}`, 'ms', [taken.longest], { ...ours, also: { 'at 99.9 %': taken.p999 } }),
  ])
  const there = `${Math.round(size / life).toLocaleString('en')} a second that live ${life} s`
  figures.push(figure('flows in the table, what is over and not collected yet with them', there, '', [count], ours))
  if (size === 1_000_000) {
    const odd = new Table(size * ROOM, 3600)
    const alike = odd.make(size, 0, sparse)
    odd.close()
    const attacked = new Table(size * ROOM, 3600)
    const bad = attacked.make(size, 0, chosen)
    const runs = attacked.runs()
    const kept = attacked.count
    attacked.close()
    say(
      `  chosen tuples: ${bad.nanoseconds.toFixed(0)} ns a new flow, longest run of entries ${runs.longest}, ${kept} flows`,
    )
    figures.push(
      figure('a new flow, tuples chosen to meet in a hash without a secret', where, 'ns', bad.costs, ours),
      figure('entries looked at for a tuple that is not there, tuples chosen so', where, '', [runs.average], {
        ...ours,
        also: { longest: runs.longest },
      }),
    )
    const worse = bad.nanoseconds / growing.nanoseconds
    targets.push(
      {
        what: 'flows whose tuples were chosen to meet in a hash without a secret, against ordinary ones',
        wanted: 'at most 1.5 times slower',
        got: `${worse.toFixed(2)} times`,
        held: worse <= 1.5,
      },
      {
        what: 'the longest run of entries in the index, tuples chosen so',
        wanted: `at most ${RUN_ALLOWED}`,
        got: `${runs.longest}, ${kept.toLocaleString('en')} flows`,
        held: runs.longest <= RUN_ALLOWED,
      },
    )
    const ratio = alike.nanoseconds / growing.nanoseconds
    figures.push(figure('a new flow, addresses and ports that differ in few bits', where, 'ns', alike.costs, ours))
    targets.push({
      what: 'flows whose addresses and ports differ in few bits, against ordinary ones',
      wanted: 'at most 1.5 times slower',
      got: `${ratio.toFixed(2)} times`,
      held: ratio <= 1.5,
    })
  }
  return { figures, targets, skipped: [] }
}

interface Made {
  /** Of a new flow's packet: the median of the chunks. */
  readonly nanoseconds: number
  readonly costs: readonly number[]
  /** Milliseconds. */
  readonly longest: number
  readonly p999: number
}

class Table {
  readonly #clock = new VirtualClock(Date.UTC(2026, 0, 1))
  readonly #lan = new FloodDevice('lan')
  readonly #engine: Engine

  readonly #rate: number

  /** @param life how long flows live, in seconds  @param rate new flows a second by the clock */
  constructor(most: number, life: number, rate = RATE) {
    this.#rate = rate
    this.#engine = Engine.open({
      config: {
        ...CONFIG,
        sysctl: {
          'net.netfilter.nf_conntrack_max': Math.ceil(most),
          'net.netfilter.nf_conntrack_udp_timeout': Math.ceil(life),
        },
      },
      devices: new Map([
        ['lan', this.#lan],
        ['wan', new FloodDevice('wan')],
      ]),
      clock: this.#clock,
    })
    this.#engine.load(rules())
  }

  /** Flows that are over, and not collected yet, with them. */
  get count(): number {
    return this.#engine.conntrack.flows.count
  }

  get dropped(): number {
    return Object.values(this.#engine.counters().dropped).reduce((sum, n) => sum + n, 0)
  }

  /** How far a look-up goes that finds nothing. */
  runs(): { readonly average: number; readonly longest: number } {
    const { flows } = this.#engine.conntrack
    let sum = 0
    let longest = 0
    const looked = 1_000_000
    for (let i = 0; i < looked; i++) {
      const hash = flows.hash(i, ~i, Math.imul(i, 0x9e3779b1), 0)
      let step = 0
      while (flows.near(hash, step) >= 0) step++
      sum += step + 1
      longest = Math.max(longest, step)
    }
    return { average: Number((sum / looked).toPrecision(3)), longest }
  }

  make(flows: number, first: number, shape: Shape): Made {
    const costs: number[] = []
    const rounds: number[] = []
    for (let made = 0; made < flows; made += CHUNK) {
      const chunk = Math.min(CHUNK, flows - made)
      this.#lan.prepare(
        chunk,
        () => LENGTH,
        (view, at, i) => writePacket(view, at, shape(first + made + i)),
      )
      this.#lan.allow(chunk)
      let time = 0
      while (this.#lan.left > 0) {
        this.#clock.advance((ROUND / this.#rate) * 1000)
        const { user, system } = process.cpuUsage()
        this.#engine.step()
        const now = process.cpuUsage()
        const ms = (now.user - user + now.system - system) / 1000
        rounds.push(ms)
        time += ms
      }
      costs.push((time * 1e6) / chunk)
    }
    return {
      nanoseconds: quantile(costs, 0.5),
      costs,
      longest: rounds.reduce((most, ms) => Math.max(most, ms), 0),
      p999: Number(quantile(rounds, 0.999).toPrecision(3)),
    }
  }

  close(): void {
    this.#engine.close()
  }
}
