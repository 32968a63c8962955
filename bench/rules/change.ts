// What changes of rules cost the data plane while packets flood it: the time that it spends on them, the longest time for which
// packets wait, and the memory of a rule. The data plane is as the gateway's worker has it, but for the thread: orders are
// serialised as they are between threads, and taken between rounds within the worker's slices. Times are the process's own, with
// garbage collection in them; the control side's heap is in the same process, so there is more to collect than in the worker.

import { deserialize, serialize } from 'node:v8'
import { FloodDevice } from '../../src/cost/flood.ts'
import { Engine } from '../../src/engine.ts'
import type { Order } from '../../src/gateway/orders.ts'
import { RuleSender } from '../../src/gateway/rule-sender.ts'
import { RuleTaker } from '../../src/gateway/rule-taker.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import type { RuleSet } from '../../src/rule/model.ts'
import { figure, type Result, say, type Target } from '../figure.ts'
import { LENGTH, TRAFFIC4 } from '../packets.ts'
import { CONFIG } from '../path/config.ts'
import { blockList } from './sets.ts'

/** As in gateway/worker.ts. */
const SLICE_MS = 0.5
const PAUSE_ALLOWED = 5
const OURS = { who: 'tunfilter' }
const BYTES_WANTED = 300
/** What the data plane did for a change, in milliseconds. */
interface RuleTaking {
  /** All of its time that went there. */
  readonly time: number
  /** The longest piece of it, for which packets waited. */
  readonly longest: number
}

const NOTHING: RuleSet = { family: 4, tables: new Map() }

export async function rulesChange(quick: boolean): Promise<Result> {
  const figures = []
  const targets: Target[] = []
  for (const rules of quick ? [10_000] : [10_000, 100_000]) {
    const where = `${rules.toLocaleString('en')} rules`
    say(`rules: changes, ${where}`)
    const read = (count: number) => parseRestore(blockList(count), { file: 'rules', family: 4 })
    // What is compiled on the way, and goes on being compiled as there are more of them, is no rule's: another data plane has taken as many
    // before, and stays until the end, so that its memory is in none of the differences.
    const before = await warmedUp(read(rules))
    const plane = new Plane()
    const empty = plane.memory()
    const ruleSet = read(rules)
    const model = plane.memory() - empty
    await plane.change(NOTHING, ruleSet)
    const bytes = (plane.memory() - empty) / rules
    await plane.change(ruleSet, NOTHING)
    const load = await plane.change(NOTHING, ruleSet)
    const insertions: RuleTaking[] = []
    let now = ruleSet
    for (let i = 0; i < (quick ? 20 : 200); i++) {
      const after = inserted(now, Math.floor(((i * 37) % 200) * (rules / 200)))
      insertions.push(await plane.change(now, after))
      now = after
    }
    const own = insertions.map(({ time }) => time)
    figures.push(
      figure("loading: the data plane's time", where, 'ms', [load.time], OURS),
      figure('loading: the longest time without packets', where, 'ms', [load.longest], OURS),
      figure("one rule inserted: the data plane's time", where, 'ms', own, OURS),
      figure(
        'one rule inserted: the longest time without packets',
        where,
        'ms',
        insertions.map(({ longest }) => longest),
        OURS,
      ),
      figure('memory of a rule in the data plane', where, 'bytes', [bytes - model / rules], OURS),
      figure('memory of a rule, data plane and control side', where, 'bytes', [bytes], OURS),
    )
    targets.push(
      held(`longest time without packets while ${where} are loaded`, PAUSE_ALLOWED, load.longest, 'ms'),
      held(
        `the data plane's time for one rule inserted into ${where}, a new index now and then with it`,
        PAUSE_ALLOWED,
        mean(own),
        'ms',
      ),
      held(`memory of a rule, data plane and control side, ${where}`, BYTES_WANTED, bytes, 'bytes'),
    )
    plane.close()
    before.close()
  }
  return { figures, targets, skipped: [] }
}

async function warmedUp(ruleSet: RuleSet): Promise<Plane> {
  const plane = new Plane()
  await plane.change(NOTHING, ruleSet)
  await plane.change(ruleSet, NOTHING)
  return plane
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length

function held(what: string, most: number, got: number, unit: string): Target {
  return { what, wanted: `at most ${most} ${unit}`, got: `${got.toPrecision(3)} ${unit}`, held: got <= most }
}

function inserted(ruleSet: RuleSet, place: number): RuleSet {
  const filter = ruleSet.tables.get('filter')!
  const forward = filter.chains.get('FORWARD')!
  const made = parseRestore('*filter\n-A FORWARD -s 192.168.1.1/32 -p tcp -j DROP\nCOMMIT\n', { file: 'r', family: 4 })
  const rules = forward.rules.toSpliced(place, 0, ...made.tables.get('filter')!.chains.get('FORWARD')!.rules)
  const chains = new Map(filter.chains).set('FORWARD', { ...forward, rules })
  return { ...ruleSet, tables: new Map(ruleSet.tables).set('filter', { ...filter, chains }) }
}

class Plane {
  readonly #lan = new FloodDevice('lan')
  readonly #engine: Engine
  readonly #taker: RuleTaker
  readonly #sender: RuleSender
  readonly #orders: Buffer[] = []

  constructor() {
    const wan = new FloodDevice('wan')
    this.#engine = Engine.open({
      config: { ...CONFIG, sysctl: { 'net.netfilter.nf_conntrack_max': 4096 } },
      devices: new Map([
        ['lan', this.#lan],
        ['wan', wan],
      ]),
    })
    this.#taker = new RuleTaker(this.#engine)
    this.#sender = new RuleSender((order) => this.#orders.push(serialize(order)))
    this.#lan.prepare(1000, () => LENGTH, TRAFFIC4.write)
  }

  async change(before: RuleSet, after: RuleSet): Promise<RuleTaking> {
    const done = this.#sender.change(before, after)
    const taking = this.#rounds()
    await done
    return taking
  }

  /** Rounds of packets, with what orders there are between them, until the change is in force. */
  #rounds(): RuleTaking {
    let time = 0
    let longest = 0
    for (let changed: ReturnType<RuleTaker['goOn']>; ; ) {
      this.#lan.allow(64)
      this.#engine.step()
      const begin = performance.now()
      const used = process.cpuUsage()
      const until = begin + SLICE_MS
      do {
        if (this.#taker.isBusy) changed = this.#taker.goOn(until) ?? changed
        else {
          const order = deserialize(this.#orders.shift() as Buffer) as Extract<Order, { kind: 'change' }>
          this.#taker.take(order)
        }
      } while ((changed === undefined || this.#taker.isBusy) && performance.now() < until)
      // Processor time: on a machine with other work the clock shows that too.
      const { user, system } = process.cpuUsage(used)
      const slice = (user + system) / 1000
      time += slice
      longest = Math.max(longest, slice)
      if (changed === undefined || this.#taker.isBusy) continue
      this.#sender.changed(changed)
      return { time, longest }
    }
  }

  /** Bytes of the heap and of all buffers (the ledger among them), once what is garbage is gone. */
  memory(): number {
    globalThis.gc?.()
    globalThis.gc?.()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }

  close(): void {
    this.#engine.close()
  }
}
