// The next generation of a program's rules while it is made. Packets go on through the rules in force, which are not touched: a
// change is taken in piece by piece (rule/change.ts), completed step by step, each within moments, and put in force in one
// step that cannot fail. Whatever fails before that leaves everything as it was.

import { TunfilterError } from '../errors.ts'
import { assembled, NewEntries, type Part, type Range } from './assembly.ts'
import { ChainIndex, INDEXED_FROM } from './chain-index.ts'
import type { Piece } from './change.ts'
import { Commons, isVerdict } from './commons.ts'
import type { Surroundings, TargetFunction } from './define.ts'
import { Addresses, DEFRAGMENTS, Entry, NAMES_SETS, SHARES, setsOf, sharesOf, TRACES, TRACKS } from './entry.ts'
import { IndexView } from './index-view.ts'
import type { Action, Counters, Family, TableName } from './model.ts'
import { ChainProgram, type ChainPrograms, type Program, policyOf } from './program.ts'
import { type RuleRun, rowOf, wordsOfAddress } from './run.ts'
import type { SetSlot } from './set-reference.ts'
import { type Conditions, Tests } from './tests.ts'

/** Entries that are looked at between two looks at the clock. */
const STRIDE = 2048

interface Staged {
  readonly program: ChainProgram
  /** Undefined while only jumps have named it. */
  made: Made | undefined
  /** The chain in which it was first named. */
  readonly namedIn: string
}

interface Made {
  /** The chain before, and what is kept of it. */
  readonly old: ChainProgram | undefined
  readonly keeps: Range[]
  readonly policy: number
  readonly counters: Counters | undefined
  /** What it consists of, in order: what is kept of `old`, or new entries. */
  readonly parts: Part[]
  /** All of that, once it is put together. */
  entries: readonly Entry[]
  index: IndexView | undefined
}

interface StagedTable {
  readonly name: TableName
  readonly chains: Map<string, Staged>
  /** What is kept, by the chain in which it stood. */
  readonly keeps: Map<ChainProgram, Range[]>
  readonly goneChains: ChainProgram[]
  gone: boolean
}

export class Build {
  readonly #program: Program
  readonly #tables = new Map<TableName, StagedTable>()
  #table: StagedTable | undefined
  #chain: Made | undefined
  #chainName = ''
  readonly #placed: number[] = []
  /** Places of each new chain's policy and each new rule, in the order of the pieces. */
  readonly #told: number[] = []
  readonly #held: string[] = []
  /** The sets that new entries name. */
  readonly #sets = new Map<string, SetSlot | undefined>()
  #tracking = 0
  #defragmenting = 0
  #tracing = 0
  /** By chain: how many more entries jump to it. */
  readonly #references = new Map<ChainProgram, number>()
  readonly #freed: number[] = []
  readonly #released: string[] = []
  #completion: Generator<void> | undefined
  readonly #addresses = new Addresses()
  readonly #commons = new Commons()

  constructor(program: Program) {
    this.#program = program
  }

  get family(): Family {
    return this.#program.family
  }

  /** Takes in the next piece. Throws what makes the change impossible; it is to be abandoned then. */
  take(piece: Piece): void {
    switch (piece.kind) {
      case 'table':
        this.#table = this.#tableOf(piece.name)
        this.#table.gone = piece.gone
        return
      case 'gone': {
        const table = this.#inTable()
        const chains = this.#program.tables.get(table.name)
        for (const name of piece.chains) table.goneChains.push(there(chains?.get(name), name))
        return
      }
      case 'chain': {
        const { name, from, policy, counters } = piece
        const table = this.#inTable()
        const staged = this.#staged(table, name)
        const running = this.#program.tables.get(table.name)
        const old = running?.get(from)
        const keeps: Range[] = []
        if (old !== undefined) table.keeps.set(old, keeps)
        if (running?.get(name) === undefined) this.#told.push(staged.program.counter)
        this.#chain = { old, keeps, policy: policyOf(policy), counters, entries: [], parts: [], index: undefined }
        this.#chainName = name
        staged.made = this.#chain
        return
      }
      case 'kept': {
        const made = there(this.#chain, 'kept rules')
        made.keeps.push([piece.from, piece.to])
        made.parts.push([piece.from, piece.to])
        return
      }
      case 'rules':
        this.#add(piece.run, there(this.#chain, 'new rules'))
    }
  }

  #inTable(): StagedTable {
    return there(this.#table, 'a chain outside of tables')
  }

  #tableOf(name: TableName): StagedTable {
    let table = this.#tables.get(name)
    if (table === undefined) {
      table = { name, chains: new Map(), keeps: new Map(), goneChains: [], gone: false }
      this.#tables.set(name, table)
    }
    return table
  }

  /** A chain as it is to be; made when it is first named. */
  #staged(table: StagedTable, name: string): Staged {
    let staged = table.chains.get(name)
    if (staged === undefined) {
      const program = this.#program.tables.get(table.name)?.get(name) ?? new ChainProgram(name, this.#place(0, 0))
      staged = { program, made: undefined, namedIn: this.#chainName }
      table.chains.set(name, staged)
    }
    return staged
  }

  #place(packets: number, bytes: number): number {
    const place = this.#program.ledger.take(packets, bytes)
    this.#placed.push(place)
    return place
  }

  // ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #add(run: RuleRun, made: Made): void {
    const { family } = this.#program
    const size = wordsOfAddress(family)
    const row = rowOf(family)
    const { words, counters } = run
    let part = made.parts.at(-1)
    if (!(part instanceof NewEntries)) {
      part = new NewEntries()
      made.parts.push(part)
    }
    const { entries } = part
    const addresses = this.#addresses
    this.#commons.take(run)
    for (let i = 0; i < run.count; i++) {
      const at = i * row
      const common = this.#commons.conditions[words[at]]
      const done = this.#commons.actions[words[at + 1]]
      let { tests } = common
      if (tests === undefined) {
        tests = this.#testsOf(common.conditions)
        if (common.isShared) common.tests = tests
      }
      const target = this.#targetOf(done.action, common.conditions)
      const taken = this.#program.environment.shared?.taken() ?? []
      const flags = common.flags | done.flags | (taken.length > 0 ? SHARES : 0)
      const chain = done.action?.kind === 'jump' ? this.#jumpTo(done.action.chain) : undefined
      const ready = done.ready(target, chain, flags)
      addresses.read(words, at + 2, size)
      const counter = this.#place(counters?.[2 * i] ?? 0, counters?.[2 * i + 1] ?? 0)
      this.#told.push(counter)
      const entry = new Entry(addresses, tests, ready, counter)
      entries.push(entry)
      if ((flags & TRACKS) !== 0) this.#tracking++
      if ((flags & DEFRAGMENTS) !== 0) this.#defragmenting++
      if ((flags & TRACES) !== 0) this.#tracing++
      if ((flags & NAMES_SETS) !== 0) {
        const named = [...common.sets, ...done.sets]
        setsOf.set(entry, named)
        for (const name of named) this.#sets.set(name, this.#program.environment.sets.slot(name))
      }
      if (taken.length === 0) continue
      sharesOf.set(entry, taken)
      this.#held.push(...taken)
    }
  }

  #around({ protocol }: Conditions): Surroundings {
    return {
      family: this.#program.family,
      table: this.#inTable().name,
      chain: this.#chainName,
      protocol: protocol?.not === false ? protocol.value : undefined,
    }
  }

  #testsOf(conditions: Conditions): Tests {
    const { environment } = this.#program
    const around = this.#around(conditions)
    const matches = conditions.matches.map((m) => m.declaration.match(m.options, environment, around))
    return new Tests(conditions, environment.links, matches)
  }

  /** Undefined for jumps and verdicts. */
  #targetOf(action: Action | undefined, conditions: Conditions): TargetFunction | undefined {
    if (action?.kind !== 'target' || isVerdict(action)) return undefined
    return action.declaration.target(action.options, this.#program.environment, this.#around(conditions))
  }

  #jumpTo(name: string): ChainProgram {
    const table = this.#inTable()
    const running = this.#program.tables.get(table.name)?.get(name)
    const chain = running ?? this.#staged(table, name).program
    this.#references.set(chain, (this.#references.get(chain) ?? 0) + 1)
    return chain
  }

  // ── to its end ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Goes on with what is left to do once all pieces are there.
   * @param until stops soon after this reading of performance.now()
   * @returns true when it can be put in force
   */
  complete(until = Number.POSITIVE_INFINITY): boolean {
    this.#completion ??= this.#complete()
    do
      if (this.#completion.next().done === true) {
        this.#checkSets()
        return true
      }
    while (performance.now() < until)
    return false
  }

  /** Sets that went while the change was made: the running rules did not hold them. */
  #checkSets(): void {
    for (const [name, slot] of this.#sets)
      if (this.#program.environment.sets.slot(name) !== slot)
        throw new TunfilterError('ERR_RULES', `Set ${name} doesn't exist.`)
  }

  *#complete(): Generator<void> {
    for (const table of this.#tables.values()) {
      const running: ChainPrograms = this.#program.tables.get(table.name) ?? new Map()
      const changed = new Set(table.gone ? running.values() : table.goneChains)
      for (const chain of table.keeps.keys()) changed.add(chain)
      for (const [name, { made, program, namedIn }] of table.chains) {
        if (made === undefined)
          throw new TunfilterError('ERR_RULES', `${table.name}: ${namedIn}: there is no chain '${name}'`)
        changed.add(program)
      }
      for (const chain of changed) yield* this.#remove(chain.entries, table.keeps.get(chain) ?? [])
    }
    for (const table of this.#tables.values())
      for (const { made } of table.chains.values()) {
        if (made === undefined) continue
        made.entries = assembled(made.old?.entries ?? [], made.parts)
        yield
        if (!this.#program.interpreted) yield* this.#indexChain(made)
      }
    for (const { name, goneChains } of this.#tables.values())
      for (const chain of goneChains)
        if (chain.references + (this.#references.get(chain) ?? 0) > 0)
          throw new TunfilterError('ERR_RULES', `${name}: ${chain.name}: it is jumped to and cannot go`)
  }

  /** An index that is there goes on for as long as it serves; a new one is made where that is better. */
  *#indexChain(made: Made): Generator<void> {
    const { entries, old, parts } = made
    if (entries.length < INDEXED_FROM) return
    made.index = old?.index?.changed(parts.map((part) => (part instanceof NewEntries ? part.entries.length : part)))
    if (made.index !== undefined) return
    const index = yield* ChainIndex.make(entries, this.#program.family)
    made.index = IndexView.whole(index, entries.length)
  }

  /** What goes with the entries that are not kept. */
  *#remove(entries: readonly Entry[], keeps: Made['keeps']): Generator<void> {
    const inOrder = [...keeps].sort(([a], [b]) => a - b)
    let next = 0
    for (let i = 0, looked = 0; i < entries.length; i++) {
      if (next < inOrder.length && i >= inOrder[next][0]) {
        i = inOrder[next++][1] - 1
        continue
      }
      if (looked++ % STRIDE === STRIDE - 1) yield
      const entry = entries[i]
      const { flags, chain } = entry.action
      this.#freed.push(entry.counter)
      if ((flags & TRACKS) !== 0) this.#tracking--
      if ((flags & DEFRAGMENTS) !== 0) this.#defragmenting--
      if ((flags & TRACES) !== 0) this.#tracing--
      if ((flags & SHARES) !== 0) this.#released.push(...(sharesOf.get(entry) ?? []))
      if (chain !== undefined) this.#references.set(chain, (this.#references.get(chain) ?? 0) - 1)
    }
  }

  /**
   * Puts it in force, whole.
   * @returns the places of each new chain's policy and each new rule, in the order of the pieces
   */
  commit(): Int32Array {
    const program = this.#program
    const { ledger, tables, environment } = program
    for (const table of this.#tables.values()) {
      if (table.gone) {
        for (const { counter } of tables.get(table.name)?.values() ?? []) this.#freed.push(counter)
        tables.delete(table.name)
        continue
      }
      let chains = tables.get(table.name)
      if (chains === undefined) {
        chains = new Map()
        tables.set(table.name, chains)
      }
      for (const { name, counter } of table.goneChains) {
        chains.delete(name)
        this.#freed.push(counter)
      }
      for (const [name, { program: chain, made }] of table.chains) {
        if (made === undefined) continue
        chain.entries = made.entries
        chain.index = made.index
        chain.policy = made.policy
        if (made.counters !== undefined) ledger.set(chain.counter, made.counters.packets, made.counters.bytes)
        chains.set(name, chain)
      }
    }
    for (const [chain, more] of this.#references) chain.references += more
    program.tracking += this.#tracking
    program.defragmenting += this.#defragmenting
    program.tracing += this.#tracing
    program.generation++
    ledger.give(this.#freed)
    environment.shared?.release(this.#released)
    return new Int32Array(this.#told)
  }

  /** Gives back what was taken for it. */
  abandon(): void {
    const { ledger, environment } = this.#program
    ledger.give(this.#placed)
    environment.shared?.release([...this.#held, ...environment.shared.taken()])
  }
}

function there<T>(found: T | undefined, name: string): T {
  if (found === undefined)
    throw new TunfilterError('ERR_INTERNAL', `a change of rules names ${name}, which is not there`)
  return found
}
