// What stands at the hooks: the built-in tables and conntrack at Linux's priorities, and the user's own hooks between them. Both
// families register the same way, each its own rules and its own conntrack.

import * as hook from './hook/hook.ts'
import { ACCEPT, DROP, FORWARD, INPUT, OUTPUT, POSTROUTING, PREROUTING, STOLEN } from './hook/hook.ts'
import { type Queued, SETTLED, type Step, type Watch, Way } from './hook/way.ts'
import { SYNPROXY } from './local/synproxy.ts'
import type { Packet } from './packet/packet.ts'
import { REASON } from './packet/reason.ts'
import { KnownWays } from './pipeline-known.ts'
import { Tracer } from './pipeline-trace.ts'
import { CONTINUE } from './rule/define.ts'
import { Interpreter } from './rule/interpreter.ts'
import type { Family, TableName } from './rule/model.ts'
import type { Program } from './rule/program.ts'
import { VerdictMemory } from './rule/verdict-memory.ts'
import { Walk } from './rule/walk.ts'

/** Where the built-in tables stand: table, hook, priority. */
const TABLES: readonly (readonly [TableName, number, number])[] = [
  ['raw', PREROUTING, hook.PRIORITY_RAW],
  ['raw', OUTPUT, hook.PRIORITY_RAW],
  ['mangle', PREROUTING, hook.PRIORITY_MANGLE],
  ['mangle', INPUT, hook.PRIORITY_MANGLE],
  ['mangle', FORWARD, hook.PRIORITY_MANGLE],
  ['mangle', OUTPUT, hook.PRIORITY_MANGLE],
  ['mangle', POSTROUTING, hook.PRIORITY_MANGLE],
  ['nat', PREROUTING, hook.PRIORITY_DNAT],
  ['nat', INPUT, hook.PRIORITY_SNAT],
  ['nat', OUTPUT, hook.PRIORITY_DNAT],
  ['nat', POSTROUTING, hook.PRIORITY_SNAT],
  ['filter', INPUT, hook.PRIORITY_FILTER],
  ['filter', FORWARD, hook.PRIORITY_FILTER],
  ['filter', OUTPUT, hook.PRIORITY_FILTER],
  ['security', INPUT, hook.PRIORITY_SECURITY],
  ['security', FORWARD, hook.PRIORITY_SECURITY],
  ['security', OUTPUT, hook.PRIORITY_SECURITY],
]

/** A hook of the user's own, at any priority. */
export interface UserHook extends Step {
  readonly hook: number
  /** Both families when left out. */
  readonly family?: Family
}

/** Conntrack's places, each with a verdict. */
export interface Tracking {
  input(p: Packet): number
  confirm(p: Packet): number
  /** Whether flows may have their sequence numbers adjusted, and the step that does it. */
  readonly adjusting: boolean
  adjust(p: Packet): number
  /** Connection helpers, and whether a rule has asked for one. */
  readonly announced: {
    readonly isUsed: boolean
    help(p: Packet): number
    /** Whether these two steps look at the flow's packets. */
    isWatched(ct: number): boolean
  }
  isBound(ct: number): boolean
  /** In whose records what rules decided is kept (rule/verdict-memory.ts). */
  readonly flows?: { readonly words: Int32Array }
}

export interface Registered {
  /** ACCEPT with a whole packet, STOLEN when it is held or was dropped; undefined where no rule needs whole packets. */
  readonly defragment: ((p: Packet, hook: number) => number) | undefined
  /** Undefined where no rule needs it: then it does not run. */
  readonly conntrack: Tracking | undefined
  /** Walks the nat table where the packet's flow is new to it, and translates. */
  nat(p: Packet, hook: number, table: (p: Packet, hook: number) => number): number
  /** A step of OUTPUT that may change what the packet's route was chosen by; of nat's rules a mark does not count. */
  routedAnew(p: Packet, step: (p: Packet, hook: number) => number, byMark: boolean): number
  /** Target SYNPROXY's step before confirm. */
  synproxy(p: Packet): number
  /** A rule queued the packet. */
  readonly queued: Queued
  readonly watch: Watch | undefined
  drop(p: Packet, reason: number): void
  /** Told what an operator should know. */
  notice(message: string): void
}

const interpreter = new Interpreter()
const walk = new Walk()

/** The way of one family's packets under a generation of its rules. */
export interface RegisteredWay {
  readonly way: Way
  /** Steps of PREROUTING up to conntrack. */
  readonly tracked: number
  /** They are defragmentation and conntrack. */
  readonly tracksAtOnce: boolean
  /** Undefined where every packet has to see every step. */
  readonly known: KnownWays | undefined
}

export function registered(program: Program, users: readonly UserHook[], parts: Registered): RegisteredWay {
  const way = new Way(parts.queued, parts.watch)
  const { defragment, conntrack } = parts
  if (defragment !== undefined) {
    const step = {
      name: 'defrag',
      priority: hook.PRIORITY_DEFRAG,
      reason: REASON['fragment-bad'],
      run: defragment,
      settled: SETTLED,
    }
    for (const at of [PREROUTING, OUTPUT]) way.add(at, step)
  }
  if (conntrack !== undefined) {
    const input = { name: 'conntrack', reason: REASON.conntrack, run: (p: Packet) => conntrack.input(p) }
    const confirm = {
      name: 'confirm',
      reason: REASON['confirm-clash'],
      run: (p: Packet) => conntrack.confirm(p),
      settled: SETTLED,
    }
    for (const at of [PREROUTING, OUTPUT]) way.add(at, { ...input, priority: hook.PRIORITY_CONNTRACK })
    if ((program.environment.shared?.users(SYNPROXY, String(program.family)) ?? 0) > 0) {
      const synproxy = { name: 'synproxy', reason: REASON.synproxy, run: (p: Packet) => parts.synproxy(p) }
      for (const at of [INPUT, POSTROUTING]) way.add(at, { ...synproxy, priority: hook.PRIORITY_SYNPROXY })
    }
    if (conntrack.adjusting) {
      const adjust = {
        name: 'seqadj',
        reason: REASON.conntrack,
        run: (p: Packet) => conntrack.adjust(p),
        settled: SETTLED,
      }
      for (const at of [INPUT, POSTROUTING]) way.add(at, { ...adjust, priority: hook.PRIORITY_CONFIRM })
    }
    for (const at of [INPUT, POSTROUTING]) way.add(at, { ...confirm, priority: hook.PRIORITY_CONFIRM })
    if (conntrack.announced.isUsed) {
      const help = {
        name: 'helper',
        reason: REASON.conntrack,
        run: (p: Packet) => conntrack.announced.help(p),
        settled: SETTLED,
      }
      for (const at of [INPUT, POSTROUTING]) way.add(at, { ...help, priority: hook.PRIORITY_HELPER })
    }
  }
  const memory = memoryOf(program, conntrack)
  for (const [i, [table, at, priority]] of TABLES.entries()) {
    const chain = program.base(table, at)
    if (chain === undefined) continue
    const { entries } = program
    // A packet is first traced in the midst of a table.
    const traced = table === 'raw' && program.tracing > 0
    const tracer = new Tracer(table, chain, entries, program.environment)
    const asked = (p: Packet) => interpreter.run(chain, entries, p, at)
    const walked = (p: Packet) => walk.run(chain, i, entries, memory, p, at)
    const untraced = program.interpreted ? asked : walked
    const rules = (p: Packet) => (traced || p.trace !== 0 ? tracer.run(p, at) : untraced(p))
    if (table !== 'nat') {
      const run = table === 'mangle' && at === OUTPUT ? (p: Packet) => parts.routedAnew(p, rules, true) : rules
      way.add(at, { name: table, priority, reason: REASON.netfilter, run, settled: i })
    } else {
      const nat = (p: Packet) => parts.nat(p, at, rules)
      const run = at === OUTPUT ? (p: Packet) => parts.routedAnew(p, nat, false) : nat
      way.add(at, { name: 'nat', priority, reason: REASON.nat, run, settled: SETTLED })
    }
  }
  for (const user of users) {
    if (user.family !== undefined && user.family !== program.family) continue
    const run = (p: Packet, at: number) => runUser(user, p, at, parts)
    way.add(user.hook, { ...user, run: user.hook === OUTPUT ? (p) => parts.routedAnew(p, run, true) : run })
  }
  const tracked = way.steps(PREROUTING).findIndex(({ name }) => name === 'conntrack') + 1
  const known =
    memory === undefined || conntrack === undefined || program.interpreted
      ? undefined
      : KnownWays.of(way, tracked, memory, program.entries.counters, conntrack)
  const tracksAtOnce =
    tracked > 0 &&
    parts.watch === undefined &&
    way
      .steps(PREROUTING)
      .slice(0, tracked - 1)
      .every((step) => step.run === defragment)
  return { way, tracked, tracksAtOnce, known }
}

/** What was decided for flows is kept by a program for as long as it has the same flow table. */
const memories = new WeakMap<Program, { readonly words: Int32Array; readonly memory: VerdictMemory }>()

/** Routes or addresses have changed: what was decided for flows may have been decided by them. */
export function forgetDecisions(program: Program): void {
  memories.get(program)?.memory.clear()
}

function memoryOf(program: Program, conntrack: Tracking | undefined): VerdictMemory | undefined {
  const words = conntrack?.flows?.words
  if (words === undefined) return undefined
  let kept = memories.get(program)
  if (kept?.words !== words) {
    kept = { words, memory: new VerdictMemory(words) }
    memories.set(program, kept)
  }
  kept.memory.forget(program.generation)
  return kept.memory
}

/**
 * CONTINUE is what rules' targets say for ACCEPT; of a packet that the hook took over only the slot is still here. A hook
 * that throws costs its packet, and no other.
 */
function runUser(user: UserHook, p: Packet, at: number, parts: Registered): number {
  let verdict = DROP
  try {
    verdict = user.run(p, at)
  } catch (error) {
    parts.notice(`hook ${user.name} at ${hook.HOOK_NAMES[at]} threw, and its packet is dropped: ${error}`)
  }
  if (verdict === STOLEN) parts.drop(p, REASON.stolen)
  return verdict === CONTINUE ? ACCEPT : verdict
}
