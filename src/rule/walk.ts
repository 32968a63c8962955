// The fast walk through a table's rules. It gives what the interpreter gives (rule/interpreter.ts; a test holds one against the
// other), and judges each rule by the same function, but it does not come by every rule: in long chains an index says which
// rule can match next (rule/chain-index.ts), and an established flow's packet takes what was decided for the one before it, as
// long as that looked at nothing else than what is the same for both (rule/verdict-memory.ts).

import { DROP } from '../hook/hook.ts'
import type { Packet } from '../packet/packet.ts'
import { END, LISTS_MAX } from './chain-index.ts'
import { CONTINUE, HOTDROP, RETURN } from './define.ts'
import type { Entries } from './entries.ts'
import { DO_GOTO, DO_JUMP, DO_TARGET, type ReadyAction } from './entry.ts'
import type { IndexView } from './index-view.ts'
import { count, looked, matches } from './interpreter.ts'
import type { ChainProgram } from './program.ts'
import { isRemembered, type VerdictMemory } from './verdict-memory.ts'

// A frame of `#cursors`, for a chain with an index: what of the packet the look-up looked at, then where each list stands.
const MARK = 0
const STATE = 1
const SOURCE = 2
const DESTINATION = 3
const PORTS = 4
const RUN = 5
const LISTS = 6
const LISTS_END = 7
const FRAME = 8

/** No index is used. */
const PLAIN = -1

export class Walk {
  // Where to go on after a chain's end. A target may send a packet that walks rules itself (REJECT), so each walk only
  // looks at what it pushed: from the depth that it found.
  readonly #chains: ChainProgram[] = []
  readonly #places: number[] = []
  readonly #frames: number[] = []
  #depth = 0
  #cursors = new Int32Array(1024)
  /** Behind the last frame. */
  #top = 0

  /**
   * @param table which table at which hook this is, 0 to TABLES_MAX (rule/verdict-memory.ts)
   * @returns the verdict: ACCEPT, DROP, STOLEN, QUEUE or REPEAT
   */
  run(
    base: ChainProgram,
    table: number,
    rules: Entries,
    memory: VerdictMemory | undefined,
    p: Packet,
    hook: number,
  ): number {
    if (memory === undefined || !isRemembered(p) || p.ct < 0 || p.trace !== 0)
      return this.#walk(base, rules, undefined, p, hook)
    const known = memory.find(p, table)
    if (known !== undefined) {
      const { places } = known
      for (let i = 0; i < places.length; i++) count(rules.counters, places[i], p.length)
      return known.said
    }
    const { mark } = p
    memory.begin()
    const outer = looked.further
    looked.further = false
    const verdict = this.#walk(base, rules, memory, p, hook)
    // A mark that was set on the way is not set again by what is remembered.
    if (!looked.further && p.mark === mark) memory.keep(p, table, verdict)
    looked.further = outer
    return verdict
  }

  #walk(base: ChainProgram, rules: Entries, memory: VerdictMemory | undefined, p: Packet, hook: number): number {
    const floor = this.#depth
    const bottom = this.#top
    let chain = base
    let place = chain.first
    let frame = this.#enter(chain, p)
    for (;;) {
      if (frame !== PLAIN) place = this.#next(chain.index as IndexView, frame, place)
      let verdict = RETURN
      if (place < chain.end) {
        const entry = chain.places[place++]
        const matched = matches(rules, entry, p)
        if (matched !== 1) {
          if (matched !== HOTDROP) continue
          this.#depth = floor
          this.#top = bottom
          return DROP
        }
        count(rules.counters, entry, p.length)
        if (memory !== undefined) memory.count(entry)
        const action = rules.actionOf(entry)
        if (action.does === DO_JUMP || action.does === DO_GOTO) {
          if (action.does === DO_JUMP) {
            this.#chains[this.#depth] = chain
            this.#places[this.#depth] = place
            this.#frames[this.#depth++] = frame
          }
          chain = action.chain as ChainProgram
          place = chain.first
          frame = this.#enter(chain, p)
          continue
        }
        if (action.does === DO_TARGET) {
          looked.further = true
          verdict = (action.target as NonNullable<ReadyAction['target']>)(p, hook)
          if (verdict === CONTINUE) {
            if (frame !== PLAIN && this.#isChanged(frame, p)) frame = this.#again(chain, frame, p)
            continue
          }
        } else {
          verdict = action.does
          if (verdict === CONTINUE) continue
        }
      }
      if (verdict !== RETURN) {
        this.#depth = floor
        this.#top = bottom
        return verdict
      }
      if (this.#depth === floor) {
        this.#top = bottom
        count(rules.counters, base.counter, p.length)
        if (memory !== undefined) memory.count(base.counter)
        return base.policy
      }
      chain = this.#chains[--this.#depth]
      place = this.#places[this.#depth]
      frame = this.#frames[this.#depth]
      if (frame !== PLAIN && this.#isChanged(frame, p)) frame = this.#again(chain, frame, p)
    }
  }

  /** Looks the packet up in a chain's index; a frame, or PLAIN where every rule has to be asked. */
  #enter({ index }: ChainProgram, p: Packet): number {
    // Without a transport header matches on ports judge in their own way, and some drop.
    if (index === undefined || p.transport === 0) return PLAIN
    const frame = this.#top
    if (frame + FRAME + LISTS_MAX > this.#cursors.length) {
      const larger = new Int32Array(this.#cursors.length * 2)
      larger.set(this.#cursors)
      this.#cursors = larger
    }
    const cursors = this.#cursors
    cursors[frame + MARK] = p.mark
    cursors[frame + STATE] = p.ctinfo
    cursors[frame + SOURCE] = p.source
    cursors[frame + DESTINATION] = p.destination
    cursors[frame + PORTS] = (p.sport << 16) | p.dport
    cursors[frame + RUN] = 0
    cursors[frame + LISTS] = frame + FRAME
    this.#top = index.index.lookUp(p, cursors, frame + FRAME)
    cursors[frame + LISTS_END] = this.#top
    return frame
  }

  /** A target, or another chain's, has changed what the look-up looked at. */
  #isChanged(frame: number, p: Packet): boolean {
    const cursors = this.#cursors
    return (
      cursors[frame + MARK] !== p.mark ||
      cursors[frame + STATE] !== p.ctinfo ||
      cursors[frame + SOURCE] !== p.source ||
      cursors[frame + DESTINATION] !== p.destination ||
      cursors[frame + PORTS] !== ((p.sport << 16) | p.dport)
    )
  }

  /** The frame is the last one: those of chains that were jumped to are done with. */
  #again(chain: ChainProgram, frame: number, p: Packet): number {
    this.#top = frame
    return this.#enter(chain, p)
  }

  /** The first place from `place` on whose rule can match; the chain's length, or more, where there is none. */
  #next({ index, begins, shifts, length }: IndexView, frame: number, from: number): number {
    const cursors = this.#cursors
    const { lists } = index
    const first = cursors[frame + LISTS]
    const end = cursors[frame + LISTS_END]
    let run = cursors[frame + RUN]
    let place = from
    while (place < length) {
      const next = run + 1 < begins.length ? begins[run + 1] : length
      if (place >= next) {
        run++
        continue
      }
      const shift = shifts[run]
      // Rules that came after the index was made.
      if (shift === undefined) break
      const wanted = place + shift
      let found = END
      for (let i = first; i < end; i++) {
        let at = cursors[i]
        while (lists[at] < wanted) at++
        cursors[i] = at
        if (lists[at] < found) found = lists[at]
      }
      if (found - shift < next) {
        place = found - shift
        break
      }
      place = next
    }
    cursors[frame + RUN] = run
    return place
  }
}
