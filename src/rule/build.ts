// The next generation of a program's rules while it is made. Packets go on through the rules in force, which are not touched: a
// change is taken in piece by piece (rule/change.ts), completed step by step, each within moments, and put in force in one
// step that cannot fail. Whatever fails before that leaves everything as it was.

import { TunfilterError } from '../errors.ts'
import { Addition, type Into, Needs } from './addition.ts'
import { Assembly, type Contents, lengthOf, NewEntries, type Part, type Range, Splice } from './assembly.ts'
import { ChainIndex, INDEXED_FROM } from './chain-index.ts'
import type { Piece } from './change.ts'
import type { Entries } from './entries.ts'
import { SHARES } from './entry.ts'
import { IndexView } from './index-view.ts'
import type { Counters, Family, TableName } from './model.ts'
import { Numbers } from './numbers.ts'
import { ChainProgram, type ChainPrograms, type Program, policyOf } from './program.ts'

/** Entries that are looked at between two looks at the clock. */
const STRIDE = 2048
/** The same of chains. */
const CHAINS = 256

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
  /** All of that, once it is put together, or how that is done when it is put in force. */
  contents: Contents | Splice | undefined
  index: IndexView | undefined
}

interface StagedTable {
  readonly name: TableName
  readonly chains: Map<string, Staged>
  /** What is kept, by the chain in which it stood. */
  readonly keeps: Map<ChainProgram, Range[]>
  readonly goneChains: ChainProgram[]
  gone: boolean
  /** All chains, where there is more to put in or take out than is done in a moment. */
  next: ChainPrograms | undefined
}

export class Build {
  readonly #program: Program
  readonly #tables = new Map<TableName, StagedTable>()
  #table: StagedTable | undefined
  #chain: Made | undefined
  #chainName = ''
  /** Places that were taken for policies and entries. */
  readonly #policies = new Numbers()
  readonly #added: Numbers[] = []
  /** Places of each new chain's policy and each new rule, in the order of the pieces. */
  readonly #told = new Numbers()
  readonly #needs = new Needs()
  readonly #addition: Addition
  /** New entries that are being added, and how many of them are among what is told. */
  #entries: Numbers | undefined
  #toldOf = 0
  /** Chains in force that are to be others. */
  readonly #changed: (readonly [ChainProgram, Made])[] = []
  /** By chain: how many more entries jump to it. */
  readonly #references = new Map<ChainProgram, number>()
  readonly #freed = new Numbers()
  readonly #released: string[] = []
  #completion: Generator<void> | undefined
  #clearing: Generator<void> | undefined

  constructor(program: Program) {
    this.#program = program
    this.#addition = new Addition(program, this.#needs, (chain) => this.#jumpTo(chain))
  }

  get family(): Family {
    return this.#program.family
  }

  /**
   * Takes in the next piece, or begins to; the one before is taken in. Throws what makes the change impossible; it is to be
   * abandoned then.
   * @param until stops soon after this reading of performance.now()
   * @returns false when there is more to do of it: goOn() does that
   */
  take(piece: Piece, until = Number.POSITIVE_INFINITY): boolean {
    switch (piece.kind) {
      case 'table':
        this.#table = this.#tableOf(piece.name)
        this.#table.gone = piece.gone
        return true
      case 'gone': {
        const table = this.#inTable()
        const chains = this.#program.tables.get(table.name)
        for (const name of piece.chains) table.goneChains.push(there(chains?.get(name), name))
        return true
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
        const none = { contents: undefined, index: undefined }
        this.#chain = { old, keeps, policy: policyOf(policy), counters, parts: [], ...none }
        this.#chainName = name
        staged.made = this.#chain
        return true
      }
      case 'kept': {
        const made = there(this.#chain, 'kept rules')
        made.keeps.push([piece.from, piece.to])
        made.parts.push([piece.from, piece.to])
        return true
      }
      case 'rules':
        this.#addition.begin(piece.run, this.#newEntries(there(this.#chain, 'new rules')))
        return this.goOn(until)
    }
  }

  /** Goes on with the piece that was begun. */
  goOn(until: number): boolean {
    const added = this.#addition.goOn(until)
    const entries = there(this.#entries, 'new rules')
    for (; this.#toldOf < entries.length; this.#toldOf++) this.#told.push(entries.at(this.#toldOf))
    return added
  }

  #inTable(): StagedTable {
    return there(this.#table, 'a chain outside of tables')
  }

  #tableOf(name: TableName): StagedTable {
    let table = this.#tables.get(name)
    if (table === undefined) {
      table = { name, chains: new Map(), keeps: new Map(), goneChains: [], gone: false, next: undefined }
      this.#tables.set(name, table)
    }
    return table
  }

  /** A chain as it is to be; made when it is first named. */
  #staged(table: StagedTable, name: string): Staged {
    let staged = table.chains.get(name)
    if (staged === undefined) {
      const program = this.#program.tables.get(table.name)?.get(name) ?? this.#newChain(name)
      staged = { program, made: undefined, namedIn: this.#chainName }
      table.chains.set(name, staged)
    }
    return staged
  }

  #newChain(name: string): ChainProgram {
    const place = this.#program.entries.takePolicy()
    this.#policies.push(place)
    return new ChainProgram(name, place)
  }

  /** Where new entries of the chain go that are behind what it has so far. */
  #newEntries({ parts }: Made): Into {
    let part = parts.at(-1)
    if (!(part instanceof NewEntries)) {
      part = new NewEntries()
      parts.push(part)
      this.#entries = part.entries
      this.#toldOf = 0
      this.#added.push(part.entries)
    }
    return { table: this.#inTable().name, chain: this.#chainName, entries: part.entries }
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
    for (const [name, slot] of this.#addition.sets)
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
      for (const chain of changed) yield* this.#remove(chain, table.keeps.get(chain) ?? [])
    }
    const assembly = new Assembly(this.#lengths())
    for (const table of this.#tables.values())
      for (const { program, made } of table.chains.values()) {
        if (made === undefined) continue
        yield* this.#assemble(made, program, assembly)
        // No packet comes to a new chain yet.
        if (this.#program.tables.get(table.name)?.get(program.name) === program) this.#changed.push([program, made])
        else this.#put(program, made)
      }
    for (const { name, goneChains } of this.#tables.values())
      for (const chain of goneChains)
        if (chain.references + (this.#references.get(chain) ?? 0) > 0)
          throw new TunfilterError('ERR_RULES', `${name}: ${chain.name}: it is jumped to and cannot go`)
    for (const table of this.#tables.values()) if (!table.gone) yield* this.#nextChains(table)
  }

  *#lengths(): Generator<number> {
    for (const { chains } of this.#tables.values())
      for (const { made } of chains.values()) if (made !== undefined) yield lengthOf(made.parts)
  }

  /** Puts a chain together. An index that is there goes on for as long as it serves; a new one is made where that is better. */
  *#assemble(made: Made, program: ChainProgram, assembly: Assembly): Generator<void> {
    const { old, parts } = made
    const isIndexed = lengthOf(parts) >= INDEXED_FROM && !this.#program.interpreted
    if (isIndexed)
      made.index = old?.index?.changed(parts.map((part) => (part instanceof NewEntries ? part.entries.length : part)))
    const splice = old !== program || (isIndexed && made.index === undefined) ? undefined : Splice.of(old, parts)
    made.contents = splice ?? (yield* assembly.assembled(old, parts))
    yield
    if (!isIndexed || made.index !== undefined || made.contents instanceof Splice) return
    const { places, end } = made.contents
    const index = yield* ChainIndex.make(this.#program.entries, places, end, this.#program.family)
    made.index = IndexView.whole(index, end)
  }

  #put(chain: ChainProgram, { contents, index, policy, counters }: Made): void {
    const { ledger } = this.#program.entries
    if (contents !== undefined) chain.has(contents instanceof Splice ? contents.make() : contents, index)
    chain.policy = policy
    if (counters !== undefined) ledger.set(chain.counter, counters.packets, counters.bytes)
  }

  /** Many new or gone chains are many changes of a map: another one is made then. */
  *#nextChains(table: StagedTable): Generator<void> {
    const running = this.#program.tables.get(table.name)
    if (table.chains.size + table.goneChains.length < CHAINS) return
    const next: ChainPrograms = new Map()
    const gone = new Set(table.goneChains)
    for (const [name, chain] of running ?? []) {
      if (!gone.has(chain)) next.set(name, chain)
      if (next.size % CHAINS === 0) yield
    }
    for (const [name, { program, made }] of table.chains) {
      if (made !== undefined) next.set(name, program)
      if (next.size % CHAINS === 0) yield
    }
    table.next = next
  }

  /** What goes with the entries that are not kept. */
  *#remove({ places, first, length }: ChainProgram, keeps: Made['keeps']): Generator<void> {
    const { entries } = this.#program
    const inOrder = [...keeps].sort(([a], [b]) => a - b)
    let next = 0
    for (let i = 0, looked = 0; i < length; i++) {
      if (next < inOrder.length && i >= inOrder[next][0]) {
        i = inOrder[next++][1] - 1
        continue
      }
      if (looked++ % STRIDE === STRIDE - 1) yield
      const entry = places[first + i]
      const { flags, chain } = entries.actionOf(entry)
      this.#freed.push(entry)
      this.#needs.add(flags, -1)
      if ((flags & SHARES) !== 0) this.#released.push(...(entries.shares.get(entry) ?? []))
      if (chain !== undefined) this.#references.set(chain, (this.#references.get(chain) ?? 0) - 1)
    }
  }

  /**
   * Puts it in force, whole.
   * @returns the places of each new chain's policy and each new rule, in the order of the pieces
   */
  commit(): Int32Array {
    const program = this.#program
    const { entries, tables, environment } = program
    for (const table of this.#tables.values()) {
      if (table.gone) {
        for (const { counter } of tables.get(table.name)?.values() ?? []) this.#freed.push(counter)
        tables.delete(table.name)
        continue
      }
      const chains: ChainPrograms = table.next ?? tables.get(table.name) ?? new Map()
      tables.set(table.name, chains)
      for (const { name, counter } of table.goneChains) {
        if (table.next === undefined) chains.delete(name)
        this.#freed.push(counter)
      }
      if (table.next === undefined) for (const [name, { program: chain }] of table.chains) chains.set(name, chain)
    }
    for (const [chain, made] of this.#changed) this.#put(chain, made)
    for (const [chain, more] of this.#references) chain.references += more
    program.tracking += this.#needs.tracking
    program.defragmenting += this.#needs.defragmenting
    program.tracing += this.#needs.tracing
    program.generation++
    environment.shared?.release(this.#released)
    this.#clearing = entries.release(this.#freed, STRIDE)
    return this.#told.all.slice()
  }

  /** It is not made: what was taken for it can be given back. */
  abandon(): void {
    const { entries, environment } = this.#program
    environment.shared?.release([...this.#addition.held, ...environment.shared.taken()])
    this.#clearing = releaseAll(entries, [this.#policies, ...this.#added])
  }

  /**
   * Once it is in force, or abandoned: gives back what is no more, before the next change begins.
   * @returns false when there is more to do
   */
  clear(until = Number.POSITIVE_INFINITY): boolean {
    while (this.#clearing?.next().done === false) if (performance.now() >= until) return false
    this.#clearing = undefined
    return true
  }
}

function* releaseAll(entries: Entries, lists: readonly Numbers[]): Generator<void> {
  for (const list of lists) yield* entries.release(list, STRIDE)
}

function there<T>(found: T | undefined, name: string): T {
  if (found === undefined)
    throw new TunfilterError('ERR_INTERNAL', `a change of rules names ${name}, which is not there`)
  return found
}
