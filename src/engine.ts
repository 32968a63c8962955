// The engine: devices, the pipeline, and generations of rules. It runs in rounds: every device may hand in up to a batch
// of packets, each packet walks the pipeline to its end, then what is to leave is written. Rules change between rounds
// only. The engine does not know which thread it is in, and takes time and chance from outside.

import type { RouterConfig } from './config.ts'
import { FlowList } from './conntrack/command/flow-list.ts'
import { Conntrack4 } from './conntrack/conntrack4.ts'
import { Conntrack6 } from './conntrack/conntrack6.ts'
import type { Device } from './device/device.ts'
import { type Links, LOOPBACK, NO_LINK, RX_BYTES, RX_ERRORS, RX_PACKETS } from './device/link.ts'
import { RefusedError, TunfilterError } from './errors.ts'
import type { HookName } from './hook/hook.ts'
import { HOOK_NAMES } from './hook/hook.ts'
import { type IpsetResult, runIpset } from './ipset/command.ts'
import { listSets } from './ipset/list.ts'
import { loadSets } from './ipset/load.ts'
import { SetStore } from './ipset/store.ts'
import { parseRestore } from './iptables/restore.ts'
import { save } from './iptables/save.ts'
import { IcmpCredit } from './local/rate.ts'
import { NflogGroups, type NflogListener, type NflogOptions } from './nfnetlink/nflog.ts'
import { type QueueListener, type QueueOptions, Queues } from './nfnetlink/nfqueue.ts'
import { Batch } from './packet/batch.ts'
import { Packet } from './packet/packet.ts'
import { REASON, REASONS } from './packet/reason.ts'
import { Slab } from './packet/slab.ts'
import { Pipeline } from './pipeline.ts'
import { Ends } from './pipeline-ends.ts'
import type { UserHook } from './pipeline-register.ts'
import { Pipeline6 } from './pipeline6.ts'
import { type Random, systemRandom } from './random.ts'
import { buildLinks, buildRoutes, buildRoutes6 } from './route/build.ts'
import { Routing } from './route/routing.ts'
import { Routing6 } from './route/routing6.ts'
import type { Build } from './rule/build.ts'
import { carried } from './rule/carry.ts'
import { changeOf } from './rule/change.ts'
import { countersIn } from './rule/counters.ts'
import type { Environment, LogSink } from './rule/environment.ts'
import type { Chain, Counters, Family, Rule, RuleSet } from './rule/model.ts'
import { protocolName, protocolNumber, servicePort } from './rule/names.ts'
import { Program } from './rule/program.ts'
import { wrongSets } from './rule/set-reference.ts'
import { Shared } from './rule/shared.ts'
import { type Sysctl, sysctls } from './sysctl.ts'
import { IDLE_TIMERS, type IdleTimer } from './target/idletimer.ts'
import { type Clock, SystemClock, Time } from './time.ts'
import * as vnet from './wire/vnet.ts'

export interface EngineOptions {
  readonly config: RouterConfig
  /** By the names that the configuration gives; every configured device must be there. */
  readonly devices: ReadonlyMap<string, Device>
  /** The system's when left out. */
  readonly clock?: Clock
  /** Seeded from the system when left out; a seeded one makes runs repeatable. */
  readonly random?: Random
  /** Packets that can be under way at once; 1024 when left out. */
  readonly slots?: number
  /** Rules are walked one by one: slower, with the same outcome. For who wants to be sure of that. */
  readonly interpretRules?: boolean
  /** Where lines of LOG go; nowhere when left out. */
  readonly log?: LogSink
  /** Something that an operator should know, once each time that it begins: a device that failed, a full flow table. */
  readonly notice?: (message: string) => void
}

/**
 * A user's hook: sees the packet during the call only (`p.copy()` keeps it) and says ACCEPT (or CONTINUE), DROP, or STOLEN
 * when it took the packet over: that is then counted as such.
 */
export type HookFunction = (p: Packet) => number

export interface EngineCounters {
  /** Packets dropped, by reason. */
  readonly dropped: Readonly<Record<string, number>>
  /** Of both families. */
  readonly conntrack: Readonly<Record<string, number>>
  readonly links: Readonly<Record<string, LinkCounters>>
}

export interface LinkCounters {
  readonly rxPackets: number
  readonly rxBytes: number
  readonly rxErrors: number
  readonly txPackets: number
  readonly txBytes: number
  readonly txDropped: number
  readonly txErrors: number
}

/** How often timers are looked at, in milliseconds of the engine's clock. */
const TICK = 20

export class Engine {
  readonly links: Links
  readonly conntrack: Conntrack4
  /** The flows that there are: to go through, to change, to be told of. */
  readonly flows: FlowList
  readonly conntrack6: Conntrack6
  /** IPv4's way, and IPv6's beside it. */
  readonly pipeline: Pipeline
  readonly pipeline6: Pipeline6
  readonly sysctl: Sysctl
  readonly time = new Time()
  readonly slab: Slab
  /** The sets that rules name (ipset). */
  readonly sets: SetStore
  readonly #clock: Clock
  readonly #environment: Environment
  readonly #notice: (message: string) => void
  readonly #rx = new Batch()
  readonly #packet: Packet
  readonly #users: UserHook[] = []
  readonly #nflog: NflogGroups
  readonly #queues: Queues
  /** A round is under way, at whose end verdicts are carried out. */
  #inside = false
  readonly #idleListeners = new Set<(label: string) => void>()
  readonly #ends: Ends
  readonly #programs: Readonly<Record<Family, Program>>
  readonly #ruleSets: Record<Family, RuleSet> = {
    4: { family: 4, tables: new Map() },
    6: { family: 6, tables: new Map() },
  }
  /** The counters of rules and policies by the rule sets' objects; made when they are first asked for. */
  readonly #countersOf: Partial<Record<Family, (of: Chain | Rule) => Counters>> = {}
  #ticked: number
  #full = false

  /** Throws ERR_CONFIG or ERR_SYSCTL for a configuration that cannot be. */
  static open(options: EngineOptions): Engine {
    return new Engine(options)
  }

  private constructor(options: EngineOptions) {
    const { config, devices, log = () => {}, notice = () => {} } = options
    const random = options.random ?? systemRandom()
    this.#clock = options.clock ?? new SystemClock()
    this.#notice = notice
    this.time.set(this.#clock.now())
    this.#ticked = this.time.now
    this.sysctl = sysctls(config.sysctl)
    this.slab = new Slab(options.slots ?? 1024)
    this.links = buildLinks(config, devices)
    for (const device of devices.values()) device.attach?.(this.slab)
    const routing = new Routing(this.links, buildRoutes(config, this.links), this.sysctl)
    this.conntrack = new Conntrack4({ time: this.time, sysctl: this.sysctl, policies: config.timeouts }, random())
    this.conntrack.onFull = () => this.#tellFull()
    this.#ends = new Ends(this.slab, this.links, new Float64Array(new SharedArrayBuffer(REASONS.length * 8)))
    this.#queues = new Queues(this.#ends, this.time, notice)
    this.#queues.onVerdict = () => this.#judged()
    const { sysctl, time } = this
    const credit = new IcmpCredit(time, sysctl)
    const parts = { ends: this.#ends, queues: this.#queues, time, sysctl, random, notice, credit }
    this.pipeline = new Pipeline({ ...parts, routing, conntrack: this.conntrack })
    const routing6 = new Routing6(this.links, buildRoutes6(config, this.links), sysctl)
    const { stats } = this.conntrack
    this.conntrack6 = new Conntrack6({ time, sysctl, policies: config.timeouts, stats }, random())
    this.conntrack6.beside = this.conntrack
    this.conntrack.beside = this.conntrack6
    this.conntrack6.onFull = () => this.#tellFull()
    this.flows = new FlowList([this.conntrack, this.conntrack6])
    this.pipeline6 = new Pipeline6({ ...parts, routing: routing6, conntrack: this.conntrack6 })
    this.#packet = new Packet(this.slab)
    this.#nflog = new NflogGroups(this.links, this.time, notice)
    this.sets = new SetStore({ time: this.time, random, names: { protocolName, protocolNumber, servicePort } })
    this.#environment = {
      time: this.time,
      random,
      links: this.links,
      routing,
      conntrack: this.conntrack,
      nat: this.pipeline.nat,
      local: this.pipeline.local,
      routing6,
      local6: this.pipeline6.local,
      log,
      nflog: this.#nflog,
      shared: new Shared(),
      sets: this.sets,
    }
    const how = { interpreted: options.interpretRules }
    const environment6 = { ...this.#environment, conntrack: this.conntrack6, nat: this.pipeline6.nat }
    this.#programs = { 4: new Program(4, this.#environment, how), 6: new Program(6, environment6, how) }
    this.#register()
  }

  // ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Loads rules in iptables-restore form, whole or not at all, between two rounds. Tables that the text does not name are
   * gone afterwards: the text is the rule set of its family. Counters carry over where a rule stands unchanged; the text's own
   * are not read. Throws RefusedError with every complaint; nothing is changed then.
   * @param options.family 6 for the rules of ip6tables; 4 when left out
   */
  load(text: string, options: { readonly file?: string; readonly family?: Family } = {}): void {
    this.loadRules(parseRestore(text, { file: options.file ?? 'rules', family: options.family ?? 4 }))
  }

  /** The same for a rule set that was parsed already. */
  loadRules(ruleSet: RuleSet): void {
    const wrong = wrongSets(ruleSet, this.sets)
    const nowhere = { file: 'rules', line: 1, column: 1 }
    if (wrong.length > 0)
      throw new RefusedError(
        'ERR_RULES',
        wrong.map(({ message, place = nowhere }) => ({ ...place, message })),
      )
    this.changeRules(carried(this.#ruleSets[ruleSet.family], ruleSet))
  }

  /** Takes over a rule set that was made of the running one: rules that are the same objects go on counting. */
  changeRules(ruleSet: RuleSet): void {
    const { family } = ruleSet
    const build = this.beginChange(family)
    try {
      for (const piece of changeOf(this.#ruleSets[family], ruleSet)) build.take(piece)
      build.complete()
    } catch (error) {
      build.abandon()
      throw error
    }
    this.#ruleSets[family] = ruleSet
    this.commitChange(build)
  }

  /**
   * A change that is made between rounds, in pieces: packets go on under the rules in force. Whoever makes one says when it is
   * complete (commitChange) or gives it up (Build.abandon); one at a time, and `ruleSet` knows nothing of it.
   */
  beginChange(family: Family): Build {
    return this.#programs[family].begin()
  }

  /** Puts it in force; gives what Build.commit does. */
  commitChange(build: Build): Int32Array {
    const places = build.commit()
    const program = this.#programs[build.family]
    delete this.#countersOf[build.family]
    this.sets.setRules(build.family, () => program.setUses())
    this.#register()
    return places
  }

  /** IPv4's rules. */
  get ruleSet(): RuleSet {
    return this.#ruleSets[4]
  }

  ruleSetOf(family: Family): RuleSet {
    return this.#ruleSets[family]
  }

  /** IPv4's rules, made ready for packets. */
  get program(): Program {
    return this.#programs[4]
  }

  /** A family's rules, made ready for packets. */
  programOf(family: Family): Program {
    return this.#programs[family]
  }

  /** Current counters of a chain's policy or a rule of the running rule set. */
  countersOf(of: Chain | Rule, family: Family = 4): Counters {
    const counters = this.#countersOf[family] ?? countersIn(this.#ruleSets[family], this.#programs[family])
    this.#countersOf[family] = counters
    return counters(of)
  }

  /** The rules as iptables-save, or ip6tables-save, prints them, without comment lines. */
  saveRules(options: { readonly counters?: boolean; readonly family?: Family } = {}): string {
    const { counters = false, family = 4 } = options
    return save(this.#ruleSets[family], { counters, countersOf: (of) => this.countersOf(of, family) })
  }

  // ── sets ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Does what `ipset WORDS...` does (`ipset(['create', 'blocked', 'hash:net'])`), on this router's sets.
   * @param input what restore reads
   * @returns what it would print, and its exit status; nothing is thrown
   */
  ipset(words: readonly string[], input?: string): IpsetResult {
    this.time.set(this.#clock.now())
    return runIpset(this.sets, words, { stdin: input })
  }

  /** Adds sets in ipset-save form, all or none. Throws RefusedError with every complaint. */
  loadSets(text: string, options: { readonly file?: string } = {}): void {
    this.time.set(this.#clock.now())
    loadSets(this.sets, text, options.file ?? 'sets')
  }

  /** The sets as `ipset save` prints them, in pieces, with what that leaves out (forceadd). */
  saveSets(): Generator<string> {
    return listSets(this.sets, this.sets.slots(), { mode: 'save', complete: true })
  }

  // ── hooks ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Registers a hook of the user's own between the built-in ones (priorities as in hook/hook.ts).
   * @param options.family the packets that it sees; those of both families when left out
   * @returns a function that takes it away again
   */
  hook(
    name: HookName,
    options: { readonly priority: number; readonly name?: string; readonly family?: Family },
    run: HookFunction,
  ): () => void {
    const hook = HOOK_NAMES.findIndex((known) => known.toLowerCase() === name)
    if (hook < 0)
      throw new TunfilterError('ERR_HOOK', `${name}: expected one of ${HOOK_NAMES.join(', ').toLowerCase()}`)
    const { priority, family, name: called = 'user' } = options
    const user: UserHook = { hook, priority, family, name: called, reason: REASON.netfilter, run }
    this.#users.push(user)
    this.#register()
    return () => {
      const at = this.#users.indexOf(user)
      if (at >= 0) this.#users.splice(at, 1)
      this.#register()
    }
  }

  #register(): void {
    for (const [family, pipeline] of [
      [4, this.pipeline],
      [6, this.pipeline6],
    ] as const) {
      const program = this.#programs[family]
      pipeline.register(program, program.tracking > 0, program.defragmenting > 0, this.#users)
    }
  }

  // ── packets ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * One round. At most a batch is taken from each device, so that a flood on one does not starve the others.
   * @returns how many packets were received, or shown to listeners of queues and judged; 0 means that nothing waits
   */
  step(): number {
    this.time.set(this.#clock.now())
    if (((this.time.now - this.#ticked) | 0) >= TICK) this.tick()
    this.#inside = true
    let received = 0
    const { all } = this.links
    for (let i = 1; i < all.length; i++) received += this.#receive(all[i].index)
    return received + this.#finish()
  }

  /**
   * The end of a round: what listeners have to do with it, then what is to leave is written. What is queued because of a verdict waits
   * for the next round, or a listener that always says "repeat" would make this one endless.
   * @returns how many packets were shown to listeners of queues, or judged
   */
  #finish(): number {
    const settled = this.#queues.settle()
    this.#ends.drain(this.#receivePacket)
    this.#nflog.deliver()
    this.#flush()
    this.flows.source.tell()
    this.#inside = false
    return settled
  }

  /** A verdict that comes outside of a round is carried out at once. */
  #judged(): void {
    if (this.#inside) return
    this.time.set(this.#clock.now())
    this.#inside = true
    this.#finish()
  }

  #receive(index: number): number {
    const link = this.links.at(index)
    if (!link.alive || link.device === undefined) return 0
    const rx = this.#rx
    const most = this.#fill(rx)
    const n = most === 0 ? 0 : link.device.receive(this.slab, rx, most)
    for (let i = Math.max(n, 0); i < most; i++) this.slab.give(rx.start(i))
    if (n < 0) {
      this.#failed(index, -n)
      return 0
    }
    const p = this.#packet
    const { counters } = link
    counters[RX_PACKETS] += n
    const { offload } = link
    for (let i = 0; i < n; i++) {
      const length = rx.length(i)
      counters[RX_BYTES] += length
      if (!offload) vnet.clear(this.slab.view, rx.start(i))
      p.begin(rx.start(i), length, index)
      this.#receivePacket(p)
      this.#ends.drain(this.#receivePacket)
    }
    return n
  }

  /** Each family has a way of its own; what is neither is told so on IPv4's. */
  readonly #receivePacket = (p: Packet): void => {
    if (this.slab.view.getUint8(p.start) >>> 4 === 6) this.pipeline6.receive(p)
    else this.pipeline.receive(p)
  }

  /** Names free slots in the batch's descriptors; a quarter stays free for packets of the router's own. */
  #fill(rx: Batch): number {
    const reserve = this.slab.slots >> 2
    // What waits to be sent gives its slots back, or the devices that come first would starve the others.
    if (this.slab.free < reserve + rx.capacity) this.#flush()
    const most = Math.min(rx.capacity, this.slab.free - reserve)
    for (let i = 0; i < most; i++) rx.set(i, this.slab.take(), 0)
    return Math.max(most, 0)
  }

  #flush(): void {
    const { all } = this.links
    const { dropped } = this.pipeline
    for (let i = 0; i < all.length; i++) {
      const link = all[i]
      if (link.tx.count === 0) continue
      link.flush(this.slab, dropped)
      while (link.untold.length > 0)
        this.#notice(`${link.name}: transmit failed (errno ${link.untold.shift()}); counted from now on`)
    }
  }

  #failed(index: number, errno: number): void {
    const link = this.links.at(index)
    link.counters[RX_ERRORS]++
    link.alive = false
    this.#notice(`${link.name}: receive failed (errno ${errno}); the device is left alone, the others go on`)
  }

  /** Sends a packet of the router's own: bytes of a whole IP packet, routed by its destination, through OUTPUT. */
  output(bytes: Uint8Array): void {
    this.time.set(this.#clock.now())
    if (bytes[0] >>> 4 === 6) this.pipeline6.originate(bytes)
    else this.pipeline.originate(bytes)
    this.#ends.drain(this.#receivePacket)
    this.#finish()
  }

  /** Looks at timers: flows that end, fragments that waited too long, idle timers. step() does it every 20 ms. */
  tick(): void {
    this.#ticked = this.time.now
    this.#full = false
    if (this.#idleListeners.size > 0) this.#tellIdle()
    this.#nflog.tick()
    this.conntrack.tick()
    this.conntrack6.tick()
    this.pipeline.defrag.tick()
    this.pipeline6.tick()
    this.sets.tick()
    this.#ends.drain(this.#receivePacket)
    this.#finish()
  }

  // ── idle timers (target IDLETIMER) ──────────────────────────────────────────────────────────────────────────────────

  /** Seconds that each timer of the rules has left, rounded up, by its label; 0 when it has run out. */
  idleTimers(): ReadonlyMap<string, number> {
    const timers = this.#environment.shared.all<IdleTimer>(IDLE_TIMERS)
    return new Map(timers.map(({ label, left }) => [label, Math.ceil(left / 1000)]))
  }

  /**
   * Has `listener` called each time that a timer of the rules runs out, with its label.
   * @returns a function that ends it
   */
  onIdle(listener: (label: string) => void): () => void {
    this.#idleListeners.add(listener)
    return () => this.#idleListeners.delete(listener)
  }

  #tellIdle(): void {
    for (const timer of this.#environment.shared.all<IdleTimer>(IDLE_TIMERS))
      if (timer.hasRunOut()) for (const listener of this.#idleListeners) listener(timer.label)
  }

  // ── NFLOG and NFQUEUE ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Listens to a group of NFLOG: `listener` gets copies of the packets that rules name it for, at the end of the round.
   * Throws ERR_NFLOG_GROUP for a number that is none, or that has a listener already.
   * @returns a function that ends it
   */
  nflog(group: number, listener: NflogListener, options: NflogOptions = {}): () => void {
    return this.#nflog.bind(group, listener, options)
  }

  /**
   * Listens to a queue of NFQUEUE: `listener` is called with every packet that rules queue there, at the end of the round, and gives it
   * a verdict then or later. Throws ERR_QUEUE for a number that is none, or that has a listener already.
   * @returns a function that ends it; packets without a verdict are dropped
   */
  queue(number: number, listener: QueueListener, options: QueueOptions = {}): () => void {
    return this.#queues.bind(number, listener, options)
  }

  /** Packets that are held in a queue. */
  queued(number: number): number {
    return this.#queues.length(number)
  }

  /** Listens to every group that nobody else listens to. */
  nflogOthers(listener: NflogListener): void {
    this.#nflog.bindOthers(listener)
  }

  #tellFull(): void {
    if (this.#full) return
    this.#full = true
    this.#notice(`flow table full (${this.conntrack.flows.max} flows): new flows are refused`)
  }

  // ── what happened ───────────────────────────────────────────────────────────────────────────────────────────────────

  counters(): EngineCounters {
    const named = (names: readonly string[], values: Float64Array) =>
      Object.fromEntries(names.map((name, i) => [name, values[i]]))
    const links = this.links.all
      .filter((link) => link.index !== LOOPBACK && link.index !== NO_LINK)
      .map((link) => {
        const [rxPackets, rxBytes, txPackets, txBytes, rxErrors, txDropped, txErrors] = link.counters
        return [link.name, { rxPackets, rxBytes, rxErrors, txPackets, txBytes, txDropped, txErrors }] as const
      })
    return {
      dropped: named(REASONS, this.pipeline.dropped),
      conntrack: this.conntrack.counters(),
      links: Object.fromEntries(links),
    }
  }

  /** Closes every device. */
  close(): void {
    this.#nflog.close()
    for (const link of this.links.all) link.device?.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }
}
