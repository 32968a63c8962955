// The data plane: owns devices and engine, on a thread of its own whose loop blocks in poll and nowhere else. It works in
// rounds (Engine.step); between two rounds, and only there, it takes orders. It never returns to its event loop before
// the end, so nothing here may be asynchronous.

import { setPriority } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { formatFlows } from '../conntrack/command/line.ts'
import type { Conntrack } from '../conntrack/conntrack.ts'
import { EventWriter } from '../conntrack/events.ts'
import { namesIn } from '../control/nfacct.ts'
import type { Link } from '../device/link.ts'
import { loadNative, POLLIN } from '../device/native.ts'
import type { Queues } from '../device/queues.ts'
import { Together } from '../device/together.ts'
import { RING_SLOTS } from '../device/tun.ts'
import { Engine } from '../engine.ts'
import { TunfilterError } from '../errors.ts'
import type { NflogPacket } from '../nfnetlink/nflog.ts'
import { openDevices } from './devices.ts'
import { inlineMore } from './inlining.ts'
import { DATA_PLANE_NICE, ISSUED, type Order, type Report, UNREAD, UNREAD_MAX, type WorkerData } from './orders.ts'
import { type SharedDevices, shareDevices } from './queues.ts'
import { reported } from './reported.ts'
import { RuleTaker } from './rule-taker.ts'
import { SetSteps } from './set-steps.ts'

/** How long an idle loop sleeps: timers are looked at in between. Look-ups see themselves whether a flow is over. */
const IDLE_MS = 1000
/** The same where a large flow table waits to be swept, some thousand records at a time. */
const SWEEP_MS = 50
const SWEEP_FLOWS = 4096
/** How long at most packets that wait are still handled at the end. */
const DRAIN_MS = 500
/** How long orders may hold packets up between two rounds, in milliseconds. */
const SLICE_MS = 0.5
const RULES_HERE = ''
/** Flows that are listed between two rounds, so that a listing does not hold up packets. */
const LIST_ROUND = 256
/** Packets that can be under way at once. */
const SLOTS = 1024

/** How long workers may take to begin, and to end. */
const START_MS = 10_000
const STOP_MS = 1000

const { config, awaitedChanges, sets, accounting, keepsSets, nflog, io, workers, busyPoll, eventFd, shared } =
  workerData as WorkerData
const port = parentPort!
const report = (message: Report) => port.postMessage(message)

let lostLines = 0
let lostPackets = 0

function logLine(level: number, line: string): void {
  if (Atomics.load(shared, UNREAD) >= UNREAD_MAX) {
    lostLines++
    return
  }
  Atomics.add(shared, UNREAD, 1)
  report({ kind: 'log', level, line })
}

function nflogPackets(packets: readonly NflogPacket[]): void {
  if (Atomics.load(shared, UNREAD) >= UNREAD_MAX) {
    lostPackets += packets.length
    return
  }
  Atomics.add(shared, UNREAD, packets.length)
  report({ kind: 'nflog', packets })
}

class DataPlane {
  readonly #native = loadNative()
  readonly #engine: Engine
  readonly #notes: readonly string[]
  /** Triples for poll: the eventfd, then the devices in the order of `#links`. */
  readonly #fds: Int32Array
  readonly #links: readonly Link[]
  /** With several workers. */
  readonly #queues: Queues | undefined
  /** Where every device has a ring, or workers do the I/O. */
  readonly #together: Together | Queues | undefined
  /** It has just looked whether something came in. */
  #looked = false
  readonly #io: string
  #handled = 0
  #stopping = false
  /** The listing that is under way. */
  #listing: Iterator<string> | undefined
  #awaitedChanges = awaitedChanges
  readonly #rules: RuleTaker
  readonly #sets: SetSteps

  constructor() {
    const opened = openDevices(config, io, workers)
    this.#notes = opened.notes
    let queues: SharedDevices | undefined
    try {
      const notice = (line: string) => report({ kind: 'notice', line })
      if (workers > 1) queues = shareDevices(opened.queues, SLOTS, eventFd, { workers, io, busyPoll })
      const devices = queues?.devices ?? opened.devices
      // What the kernel reads ahead lies in slots of its own.
      const slots = queues?.slots ?? SLOTS + (io === 'read' ? 0 : RING_SLOTS * devices.size)
      const { memory } = queues ?? {}
      this.#engine = Engine.open({ config: opened.config, devices, slots, memory, log: logLine, notice })
      if (nflog) this.#engine.nflogOthers(nflogPackets)
      // What was kept counts on, in the place of what the configuration has under the same name.
      for (const name of namesIn(accounting)) this.#engine.nfacct(['delete', name])
      if (accounting !== '') this.#engine.nfacct(['restore'], accounting)
      if (sets !== undefined) this.#engine.loadSets(sets.text, { file: sets.file })
    } catch (error) {
      for (const device of [...opened.queues.values()].flat()) device.close()
      throw error
    }
    this.#queues = queues?.queues
    const ways = queues === undefined ? [...opened.devices.values()].map((device) => device.io) : begun(queues)
    this.#io = [...new Set(ways), ...(workers > 1 ? [`${workers} workers`] : [])].join(', ')
    this.#rules = new RuleTaker(this.#engine)
    this.#sets = new SetSteps(this.#engine.sets)
    this.#links = this.#engine.links.all.filter(({ device }) => device?.fd !== undefined)
    const waited = this.#links.map(({ device }) => device)
    this.#together = this.#queues ?? Together.of(waited, eventFd)
    this.#fds = Int32Array.from([eventFd, POLLIN, 0, ...this.#links.flatMap(({ device }) => [device!.fd!, POLLIN, 0])])
  }

  /** One a family. */
  get #conntracks(): readonly Conntrack[] {
    return [this.#engine.conntrack, this.#engine.conntrack6]
  }

  get #accounting(): string {
    return this.#engine.nfacct(['list']).stdout
  }

  run(): void {
    const { slab, conntrack } = this.#engine
    const limits = { flows: conntrack.flows.max, packetsUnderWay: slab.slots }
    const tables = { flows: this.#conntracks.map(({ flows }) => flows.shared), statistics: conntrack.stats }
    report({
      kind: 'started',
      devices: this.#notes,
      io: this.#io,
      limits,
      families: this.#sets.families,
      accounting: this.#accounting,
      tables,
    })
    for (const { flows } of this.#conntracks)
      flows.extensions.grown = () =>
        report({ kind: 'extended', family: flows.family, extensions: flows.shared.extensions })
    for (;;) {
      const received = this.#awaitedChanges > 0 ? 0 : this.#step()
      if (this.#hasOrders) this.#takeOrders(performance.now() + SLICE_MS)
      if (this.#stopping) break
      // Who waits for all devices together sees by himself whether there is more.
      const through = received === 0 || (this.#together !== undefined && this.#engine.quiet)
      if (this.#listing !== undefined) this.#listSome(this.#listing)
      else if (through && !this.#hasOrders) this.#wait()
      if (lostLines + lostPackets > 0) this.#tellLost()
    }
    this.#drain()
    const kept = keepsSets ? [...this.#engine.saveSets()].join('') : undefined
    report({ kind: 'ended', counters: this.#engine.counters(), sets: kept, accounting: this.#accounting })
    this.#engine.close()
  }

  get #hasOrders(): boolean {
    return this.#rules.isBusy || this.#handled !== Atomics.load(shared, ISSUED)
  }

  /** A round. */
  #step(): number {
    if (!this.#looked) this.#together?.wait(0)
    this.#looked = false
    return this.#engine.step()
  }

  #wait(): void {
    const spins = busyPoll > 0 && this.#awaitedChanges === 0
    const sleep = this.#engine.conntrack.flows.used > SWEEP_FLOWS ? SWEEP_MS : IDLE_MS
    if (this.#together instanceof Together) {
      this.#together.wait(sleep, spins ? busyPoll : 0)
      this.#looked = true
      return
    }
    if (spins && this.#lookAgain()) return
    if (this.#together !== undefined) {
      this.#together.wait(sleep)
      this.#looked = true
      return
    }
    const fds = this.#fds
    const links = this.#links
    for (let i = 0; i < links.length; i++) {
      // A device that is gone would be ready for ever.
      if (!links[i].alive) fds[3 * (i + 1)] = -1
    }
    this.#native.poll(fds, links.length + 1, sleep)
    if (fds[2] !== 0) this.#native.drain(eventFd)
  }

  /** Sleeping and waking up costs a packet more than its whole way: for a while it is looked for at once. */
  #lookAgain(): boolean {
    const end = performance.now() + busyPoll / 1000
    do {
      if (this.#step() > 0 || Atomics.load(shared, ISSUED) !== this.#handled) return true
    } while (performance.now() < end)
    return false
  }

  /** What is not done by then waits for the next round. */
  #takeOrders(until: number): void {
    const issued = Atomics.load(shared, ISSUED)
    do {
      if (this.#rules.isBusy) {
        this.#changeRules(until)
        continue
      }
      if (this.#handled === issued) return
      const received = receiveMessageOnPort(port) as { message: Order } | undefined
      if (received === undefined) return
      this.#handled++
      this.#obey(received.message)
    } while (performance.now() < until)
  }

  /** Goes on with a change of rules. */
  #changeRules(until: number): void {
    try {
      const changed = this.#rules.goOn(until)
      if (changed === undefined) return
      if (this.#awaitedChanges > 0) this.#awaitedChanges--
      report(changed)
    } catch (error) {
      report({ kind: 'unchanged', error: reported(error) })
    }
  }

  #obey(order: Order): void {
    switch (order.kind) {
      case 'change':
        this.#rules.take(order)
        return
      case 'sets':
        report({ kind: 'sets', answer: this.#sets.do(order.step) })
        return
      case 'ip':
        report({ kind: 'ip', answer: this.#engine.ip(order.words) })
        return
      case 'flows':
        report({ kind: 'flows', answer: this.#engine.flows.source.changeNow(order.family, order.change, order.port) })
        return
      case 'nfacct': {
        const answer = this.#engine.nfacct(order.words, order.input)
        report({ kind: 'nfacct', answer: { ...answer, list: this.#accounting } })
        return
      }
      case 'listen': {
        const writer = order.memory === undefined ? undefined : new EventWriter(order.memory)
        for (const conntrack of this.#conntracks) conntrack.telling.listen(writer)
        return
      }
      case 'list':
        this.#listing = this.#list()
        return
      case 'stop':
        this.#stopping = true
    }
  }

  /** Bytes that this thread has, and how many rules it has ready. */
  #memory(): Record<string, number> {
    const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
    let rules = 0
    let ledger = 0
    for (const family of [4, 6] as const) {
      const program = this.#engine.programOf(family)
      for (const chains of program.tables.values()) for (const { length } of chains.values()) rules += length
      for (const { byteLength } of program.entries.counters) ledger += byteLength
    }
    return { rules, heap, external, ledger }
  }

  *#list(): Generator<string> {
    const { flows, time } = this.#engine
    yield `# flows: ${flows.count}\n`
    for (const view of flows.source.views) for (const line of formatFlows(view, time)) yield `${line}\n`
    yield '# rules\n'
    // They are known to the control side, which prints them here.
    yield RULES_HERE
    yield '# counters\n'
    const { links, dropped, conntrack: stats } = this.#engine.counters()
    for (const [name, counters] of Object.entries(links)) yield `${name} ${named(counters)}\n`
    yield `dropped ${named(dropped)}\n`
    yield `conntrack ${named(stats)}\n`
    yield `memory ${named(this.#memory())}\n`
  }

  #listSome(listing: Iterator<string>): void {
    let text = ''
    for (let i = 0; i < LIST_ROUND; i++) {
      const next = listing.next()
      if (next.done === true) {
        this.#listing = undefined
        break
      }
      if (next.value === RULES_HERE) {
        report({ kind: 'text', text })
        report({ kind: 'rules' })
        text = ''
      } else text += next.value
    }
    report({ kind: 'text', text })
  }

  /** Handles what waits in the devices already; a peer that never stops sending does not keep it up. */
  #drain(): void {
    const end = performance.now() + DRAIN_MS
    if (this.#awaitedChanges === 0) this.#queues?.drain(() => this.#step(), DRAIN_MS)
    while (this.#awaitedChanges === 0 && this.#step() > 0 && performance.now() < end);
    if (this.#queues?.stop(STOP_MS) === true) this.#step()
    while (this.#listing !== undefined) this.#listSome(this.#listing)
  }

  #tellLost(): void {
    if (Atomics.load(shared, UNREAD) > UNREAD_MAX / 2) return
    const lost = [
      ...(lostLines > 0 ? [`${lostLines} lines of LOG rules`] : []),
      ...(lostPackets > 0 ? [`${lostPackets} packets of NFLOG rules`] : []),
    ]
    report({ kind: 'notice', line: `${lost.join(' and ')} were lost: more came than could be written` })
    lostLines = 0
    lostPackets = 0
  }
}

/** The control side, where threads are started, starts the workers. Gives how packets come and go by them. */
function begun({ queues, data }: SharedDevices): readonly string[] {
  report({ kind: 'workers', data })
  const ways = queues.started(START_MS)
  if (ways !== undefined) return ways
  queues.stop(STOP_MS)
  throw queues.failed
    ? new ToldError()
    : new TunfilterError('ERR_WORKERS', `the workers did not begin within ${START_MS / 1000} s`)
}

/** Something failed, and that was told already. */
class ToldError extends Error {}

function named(counters: object): string {
  return Object.entries(counters)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}

try {
  // Of this thread alone: packets go before what the control side, garbage collection and other programs do, as they do in a kernel.
  setPriority(DATA_PLANE_NICE)
} catch {
  // Without the privilege it takes its turn as all others do.
}

inlineMore()
let plane: DataPlane | undefined
try {
  plane = new DataPlane()
} catch (error) {
  if (!(error instanceof ToldError)) report({ kind: 'failed', error: reported(error) })
}
plane?.run()
