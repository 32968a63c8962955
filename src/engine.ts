// The engine: devices, the pipeline, and generations of rules. It runs in rounds: every device may hand in up to a batch
// of packets, each packet walks the pipeline to its end, then what is to leave is written. Rules change between rounds
// only. The engine does not know which thread it is in, and takes time and chance from outside.

import { FlowList } from './conntrack/command/flow-list.ts'
import type { Conntrack4 } from './conntrack/conntrack4.ts'
import type { Conntrack6 } from './conntrack/conntrack6.ts'
import type { Links } from './device/link.ts'
import { countersNow, type EngineCounters } from './engine-counters.ts'
import { Devices } from './engine-devices.ts'
import type { EngineOptions, HookFunction } from './engine-options.ts'
import { assembled } from './engine-parts.ts'
import type { Generations } from './engine-rules.ts'
import { TunfilterError } from './errors.ts'
import type { HookName } from './hook/hook.ts'
import { HOOK_NAMES } from './hook/hook.ts'
import { type IpsetResult, runIpset } from './ipset/command.ts'
import { listSets } from './ipset/list.ts'
import { loadSets } from './ipset/load.ts'
import type { SetStore } from './ipset/store.ts'
import type { Accounts } from './nfacct/accounts.ts'
import { type NfacctResult, runNfacct } from './nfacct/command.ts'
import type { NflogGroups, NflogListener, NflogOptions } from './nfnetlink/nflog.ts'
import type { QueueListener, QueueOptions, Queues } from './nfnetlink/nfqueue.ts'
import type { Packet } from './packet/packet.ts'
import { REASON } from './packet/reason.ts'
import type { Slab } from './packet/slab.ts'
import type { Pipeline } from './pipeline.ts'
import type { Ends } from './pipeline-ends.ts'
import { forgetDecisions, type UserHook } from './pipeline-register.ts'
import type { Pipeline6 } from './pipeline6.ts'
import type { IpRouter } from './route/command/router.ts'
import { type IpResult, runIp } from './route/command/run.ts'
import type { Build } from './rule/build.ts'
import type { Chain, Counters, Family, Rule, RuleSet } from './rule/model.ts'
import type { Program } from './rule/program.ts'
import type { Sysctl } from './sysctl.ts'
import type { IdleTimers } from './target/idletimer.ts'
import { type Clock, SystemClock, Time } from './time.ts'

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
  /** The accounting objects that rules name (nfacct). */
  readonly accounts: Accounts
  readonly #clock: Clock
  readonly #router: IpRouter
  readonly #notice: (message: string) => void
  readonly #devices: Devices
  readonly #users: UserHook[] = []
  readonly #nflog: NflogGroups
  readonly #queues: Queues
  /** A round is under way, at whose end verdicts are carried out. */
  #inside = false
  #quiet = true
  readonly #idle: IdleTimers
  readonly #ends: Ends
  readonly #rules: Generations
  #ticked: number
  #full = false

  /** Throws ERR_CONFIG or ERR_SYSCTL for a configuration that cannot be. */
  static open(options: EngineOptions): Engine {
    return new Engine(options)
  }

  private constructor(options: EngineOptions) {
    this.#clock = options.clock ?? new SystemClock()
    this.#notice = options.notice ?? (() => {})
    this.time.set(this.#clock.now())
    this.#ticked = this.time.now
    const parts = assembled(options, this.time)
    this.sysctl = parts.sysctl
    this.slab = parts.ends.slab
    this.links = parts.ends.links
    this.conntrack = parts.conntrack
    this.conntrack6 = parts.conntrack6
    for (const conntrack of [this.conntrack, this.conntrack6]) conntrack.onFull = () => this.#tellFull()
    this.flows = new FlowList([this.conntrack, this.conntrack6])
    this.pipeline = parts.pipeline
    this.pipeline6 = parts.pipeline6
    this.#ends = parts.ends
    this.#queues = parts.queues
    this.#queues.onVerdict = () => this.#judged()
    this.#devices = new Devices(this.#ends, this.#receivePacket, this.#notice)
    this.#nflog = parts.nflog
    this.sets = parts.sets
    this.accounts = parts.accounts
    this.#router = parts.router
    this.#idle = parts.idle
    this.#rules = parts.rules
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
    this.#rules.load(text, options)
    this.#register()
  }

  /** The same for a rule set that was parsed already. */
  loadRules(ruleSet: RuleSet): void {
    this.#rules.loadRules(ruleSet)
    this.#register()
  }

  /** Takes over a rule set that was made of the running one: rules that are the same objects go on counting. */
  changeRules(ruleSet: RuleSet): void {
    this.#rules.change(ruleSet)
    this.#register()
  }

  /**
   * A change that is made between rounds, in pieces: packets go on under the rules in force. Whoever makes one says when it is
   * complete (commitChange) or gives it up (Build.abandon); one at a time, and `ruleSet` knows nothing of it.
   */
  beginChange(family: Family): Build {
    return this.#rules.begin(family)
  }

  /** Puts it in force; gives what Build.commit does. */
  commitChange(build: Build): Int32Array {
    const places = this.#rules.commit(build)
    this.#register()
    return places
  }

  /** IPv4's rules. */
  get ruleSet(): RuleSet {
    return this.#rules.ruleSet(4)
  }

  ruleSetOf(family: Family): RuleSet {
    return this.#rules.ruleSet(family)
  }

  /** IPv4's rules, made ready for packets. */
  get program(): Program {
    return this.#rules.program(4)
  }

  /** A family's rules, made ready for packets. */
  programOf(family: Family): Program {
    return this.#rules.program(family)
  }

  /** Current counters of a chain's policy or a rule of the running rule set. */
  countersOf(of: Chain | Rule, family: Family = 4): Counters {
    return this.#rules.countersOf(of, family)
  }

  /** The rules as iptables-save, or ip6tables-save, prints them, without comment lines. */
  saveRules(options: { readonly counters?: boolean; readonly family?: Family } = {}): string {
    return this.#rules.save(options)
  }

  // ── routes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Does what `ip WORDS...` does with rules, routes and addresses (`ip(['route', 'add', 'default', 'via', '10.0.1.9'])`) on this
   * router. A change counts for the next packet; flows that MASQUERADE gave an address that goes end.
   * @returns what it would print, and its exit status; nothing is thrown
   */
  ip(words: readonly string[]): IpResult {
    this.time.set(this.#clock.now())
    const { routing, routing6 } = this.#router
    const before = [routing.revision, routing6.revision]
    const result = runIp(this.#router, words)
    if (routing.revision !== before[0]) forgetDecisions(this.programOf(4))
    if (routing6.revision !== before[1]) forgetDecisions(this.programOf(6))
    return result
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

  /** Does what `nfacct WORDS...` does (`nfacct(['add', 'http'])`), on this router's accounting objects; nothing is thrown. */
  nfacct(words: readonly string[], input = ''): NfacctResult {
    return runNfacct(this.accounts, words, input, this.#clock.now())
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
      const program = this.#rules.program(family)
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
    if (((this.time.now - this.#ticked) | 0) >= TICK) this.#tick()
    this.#inside = true
    const received = this.#devices.receive()
    return received + this.#finish(received)
  }

  /**
   * The end of a round: what listeners have to do with it, then what is to leave is written. What is queued because of a verdict waits
   * for the next round, or a listener that always says "repeat" would make this one endless. Flows that are over end behind all that.
   * @param received packets of this round
   * @returns how many packets were shown to listeners of queues, or judged
   */
  #finish(received = 1): number {
    const settled = this.#queues.settle()
    this.#ends.drain(this.#receivePacket)
    this.pipeline.settle()
    this.pipeline6.settle()
    this.#nflog.deliver()
    this.#devices.flush()
    const idle = received + settled === 0
    this.conntrack.gc.collect(idle)
    this.conntrack6.gc.collect(idle)
    this.flows.source.tell()
    this.#inside = false
    this.#quiet = settled === 0
    return settled
  }

  /** After the last round nothing waits but what devices and clocks will tell of. */
  get quiet(): boolean {
    return this.#quiet
  }

  /** A verdict that comes outside of a round is carried out at once. */
  #judged(): void {
    if (this.#inside) return
    this.time.set(this.#clock.now())
    this.#inside = true
    this.#finish()
  }

  /** Each family has a way of its own; what is neither is told so on IPv4's. */
  readonly #receivePacket = (p: Packet): void => {
    if (this.slab.view.getUint8(p.start) >>> 4 === 6) this.pipeline6.receive(p)
    else this.pipeline.receive(p)
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
    this.#tick()
    this.#finish(0)
  }

  #tick(): void {
    this.#ticked = this.time.now
    this.#full = false
    this.#idle.tick()
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
    return this.#idle.left()
  }

  /**
   * Has `listener` called each time that a timer of the rules runs out, with its label.
   * @returns a function that ends it
   */
  onIdle(listener: (label: string) => void): () => void {
    return this.#idle.listen(listener)
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
    return countersNow(this.links, this.#ends.dropped, this.conntrack)
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
