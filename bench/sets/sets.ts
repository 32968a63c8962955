// Sets: what a look-up costs among ten and among a million members, what a million members take, and how long a restore is, beside
// the real ipset in the same run. Packets' addresses come in random order, as they do in a gateway.

import { execFileSync } from 'node:child_process'
import { adviseLargePages } from '../../src/device/large-pages.ts'
import { Ask } from '../../src/ipset/ask.ts'
import { runIpset } from '../../src/ipset/command.ts'
import { SetStore } from '../../src/ipset/store.ts'
import { Packet } from '../../src/packet/packet.ts'
import { Slab } from '../../src/packet/slab.ts'
import { seededRandom } from '../../src/random.ts'
import { protocolName, protocolNumber, servicePort } from '../../src/rule/names.ts'
import { Time } from '../../src/time.ts'
import { type Figure, figure, median, type Result, round, say, type Target } from '../figure.ts'
import { type Case, sink } from '../micro/case.ts'
import { isInPath } from '../path/programs.ts'

const SIZES = [10, 10_000, 1_000_000]
const MILLION = 1_000_000
/** A million members are found in memory, ten in the processor's cache: the same work at another distance. */
const SLOWER_AT_MOST = 4
const MEGABYTES = 64
const AT_ONCE = 1000
const TURN_MS = 25

const ask = new Ask([true, true], { name: () => '' })

function newStore(): SetStore {
  const names = { protocolName, protocolNumber, servicePort }
  return new SetStore({ time: new Time(), random: seededRandom(1), names, adviseMemory: adviseLargePages })
}

/** Different for each i below 2^24: addresses, or networks of 24 bits. */
const address = (i: number, networks: boolean) =>
  networks ? Math.imul(i, 0x9e3779) << 8 : Math.imul(i + 1, 0x9e3779b1)

const text = (ip: number) => `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`

function filled(store: SetStore, type: string, members: number): void {
  runIpset(store, ['create', 's', type, 'maxelem', String(MILLION)])
  const networks = type === 'hash:net'
  const more = type === 'hash:ip,port' ? ',udp:53' : networks ? '/24' : ''
  const lines: string[] = []
  for (let i = 0; i < members; i++) lines.push(`add s ${text(address(i, networks))}${more}`)
  const { stderr } = runIpset(store, ['restore'], { stdin: `${lines.join('\n')}\n` })
  if (stderr !== '') throw new Error(stderr)
}

function lookUp(type: string, members: number): Case {
  const store = newStore()
  filled(store, type, members)
  const slot = store.get('s')
  const p = new Packet(new Slab(1))
  p.protocol = 17
  p.transport = 20
  p.sport = 53
  p.dport = 53
  const random = seededRandom(2)
  // Half of them are there.
  const addresses = new Int32Array(Math.max(2 * members, AT_ONCE))
  const networks = type === 'hash:net'
  for (let i = 0; i < addresses.length; i++) addresses[i] = address((random() >>> 0) % (2 * members), networks)
  let at = 0
  const run = () => {
    let found = 0
    for (let i = 0; i < AT_ONCE; i++) {
      if (at === addresses.length) at = 0
      p.source = addresses[at++]
      found += slot.test(p, ask)
    }
    return found
  }
  return { what: `look-up in ${type}`, where: where(members), operations: AT_ONCE, run }
}

const where = (members: number) => `${members.toLocaleString('en')} members`

export async function sets(quick: boolean): Promise<Result> {
  const figures: Figure[] = []
  const targets: Target[] = []
  const skipped: string[] = []
  // First, while nothing else has been in the heap.
  say('sets: memory')
  memory(figures, targets)
  for (const type of ['hash:ip', 'hash:net', 'hash:ip,port']) {
    say(`sets: ${type}`)
    const cases = SIZES.map((members) => lookUp(type, members))
    const values = sideBySide(cases, quick ? 7 : 25)
    for (const [i, each] of cases.entries()) figures.push(figure(each.what, each.where, 'ns', values[i]))
    const slower = median(values[2].map((value, round) => value / values[0][round]))
    targets.push({
      what: `look-up in ${type}, ${where(MILLION)}, against ${where(10)}`,
      wanted: `at most ${SLOWER_AT_MOST} times slower`,
      got: `${slower.toFixed(1)} times`,
      held: slower <= SLOWER_AT_MOST,
    })
  }
  say('sets: restore')
  restore(quick, figures, skipped)
  return { figures, targets, skipped }
}

/** Nanoseconds a look-up in each round. Sizes take turns, so that the machine's other work falls on all of them. */
function sideBySide(cases: readonly Case[], rounds: number): number[][] {
  const values: number[][] = cases.map(() => [])
  for (let r = -2; r < rounds; r++)
    for (const [i, { run, operations }] of cases.entries()) {
      const begin = performance.now()
      let calls = 0
      for (; performance.now() - begin < TURN_MS; calls++) sink[0] ^= run()
      const ns = ((performance.now() - begin) * 1e6) / (calls * operations)
      if (r >= 0) values[i].push(round(ns))
    }
  return values
}

/** Growth of the whole process, and what the set says of itself. */
function memory(figures: Figure[], targets: Target[]): void {
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  const store = newStore()
  runIpset(store, ['create', 's', 'hash:net', 'maxelem', String(MILLION)])
  const { set } = store.get('s')
  const p = new Packet(new Slab(1))
  for (let i = 0; i < MILLION; i++) {
    p.source = address(i, false)
    if (set.add(p, ask) !== 0) throw new Error(`member ${i} was not added`)
  }
  globalThis.gc?.()
  const grown = round((process.memoryUsage().rss - before) / 2 ** 20)
  const own = round(set.byteLength / 2 ** 20)
  figures.push(figure('memory of hash:net', where(MILLION), 'MB', [own], { also: { 'MB more in the process': grown } }))
  targets.push({
    what: `memory of ${where(MILLION)} of hash:net`,
    wanted: `at most ${MEGABYTES} MB`,
    got: `${own} MB`,
    held: own <= MEGABYTES,
  })
}

function restore(quick: boolean, figures: Figure[], skipped: string[]): void {
  const members = quick ? 10_000 : 100_000
  const lines = Array.from({ length: members }, (_, i) => `add s ${text(address(i, false))}\n`)
  const input = `create s hash:net maxelem ${MILLION}\n${lines.join('')}`
  const rounds = quick ? 3 : 7
  const ours: number[] = []
  const theirs: number[] = []
  const real = process.getuid?.() === 0 && isInPath('ipset')
  if (!real) skipped.push('restore beside the real ipset: needs root and ipset')
  for (let i = 0; i < rounds; i++) {
    const begin = performance.now()
    const { status } = runIpset(newStore(), ['restore'], { stdin: input })
    if (status !== 0) throw new Error('the restore failed')
    ours.push(round(performance.now() - begin))
    if (!real) continue
    // The namespace alone costs a few milliseconds, which are taken off.
    const run = (stdin: string) => {
      const from = performance.now()
      execFileSync('unshare', ['-n', 'ipset', 'restore'], { input: stdin })
      return performance.now() - from
    }
    theirs.push(round(run(input) - run('')))
  }
  const what = 'restore of hash:net'
  figures.push(figure(what, where(members), 'ms', ours, { who: 'tunfilter' }))
  if (real) figures.push(figure(what, where(members), 'ms', theirs, { who: 'ipset' }))
}
