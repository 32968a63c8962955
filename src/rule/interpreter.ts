// Walks a chain rule by rule: plain, and obviously what iptables does. It is the fallback of whatever is faster and the
// oracle that faster ways are held against. A jump pushes the place behind it, a goto does not; RETURN and the end of a
// user chain pop; with nothing left to pop the built-in chain's policy decides, and only then does its counter count.

import { DROP } from '../hook/hook.ts'
import { NO_PROTOCOL, type Packet } from '../packet/packet.ts'
import { FRAGMENT_OFFSET_MASK } from '../wire/ipv4.ts'
import { CONTINUE, HOTDROP, type MatchFunction, RETURN } from './define.ts'
import type { Entries } from './entries.ts'
import { DO_GOTO, DO_JUMP, DO_TARGET, type ReadyAction } from './entry.ts'
import { CHUNK_MASK, CHUNK_SHIFT, type Chunks } from './ledger.ts'
import type { ChainProgram } from './program.ts'
import { rowOf } from './run.ts'
import type { Tests } from './tests.ts'

const ROW4 = rowOf(4)

export class Interpreter {
  // Where to go on after a chain's end. A target may send a packet that walks rules itself (REJECT), so each walk only
  // looks at what it pushed: from the depth that it found.
  readonly #chains: ChainProgram[] = []
  readonly #places: number[] = []
  #depth = 0

  /** @returns the verdict: ACCEPT, DROP, STOLEN, QUEUE or REPEAT */
  run(base: ChainProgram, rules: Entries, p: Packet, hook: number): number {
    const floor = this.#depth
    let chain = base
    let place = chain.first
    for (;;) {
      let verdict = RETURN
      if (place < chain.end) {
        const entry = chain.places[place++]
        const matched = matches(rules, entry, p)
        if (matched !== 1) {
          if (matched !== HOTDROP) continue
          this.#depth = floor
          return DROP
        }
        count(rules.counters, entry, p.length)
        const action = rules.actionOf(entry)
        if (action.does === DO_JUMP || action.does === DO_GOTO) {
          if (action.does === DO_JUMP) {
            this.#chains[this.#depth] = chain
            this.#places[this.#depth++] = place
          }
          chain = action.chain as ChainProgram
          place = chain.first
          continue
        }
        verdict =
          action.does === DO_TARGET ? (action.target as NonNullable<ReadyAction['target']>)(p, hook) : action.does
        if (verdict === CONTINUE) continue
      }
      if (verdict !== RETURN) {
        this.#depth = floor
        return verdict
      }
      if (this.#depth === floor) {
        count(rules.counters, base.counter, p.length)
        return base.policy
      }
      chain = this.#chains[--this.#depth]
      place = this.#places[this.#depth]
    }
  }
}

/** Counts packets, of so many bytes in all, at a place of the ledger. */
export function count(counters: Chunks, place: number, bytes: number, packets = 1): void {
  const chunk = counters[place >> CHUNK_SHIFT]
  const at = (place & CHUNK_MASK) << 1
  chunk[at] += packets
  chunk[at + 1] += bytes
}

/**
 * What a walk has looked at so far: anything that is not the same for all packets of a flow and direction ('flow' in
 * define.ts). Whoever wants to know sets it to false before.
 */
export const looked = { further: false }

/** 1 when the rule of this entry matches, 0 when not, HOTDROP when a match could not judge the packet. */
export function matches(rules: Entries, entry: number, p: Packet): number {
  const { row } = rules
  const record = rules.records[entry >> CHUNK_SHIFT]
  const at = (entry & CHUNK_MASK) * row
  const t = rules.tests[record[at]]
  if (t.protocol !== 0 && (p.protocol === t.protocol) === t.protocolNot && p.protocol !== NO_PROTOCOL) return 0
  if (row === ROW4) {
    if (((p.source & record[at + 3]) === record[at + 2]) === t.sourceNot) return 0
    if (((p.destination & record[at + 5]) === record[at + 4]) === t.destinationNot) return 0
  } else if (!addresses6Match(record, at + 2, t, p)) return 0
  if (t.inLinks !== undefined && t.inLinks[p.inLink] === 0) return 0
  if (t.outLinks !== undefined && t.outLinks[p.outLink] === 0) return 0
  // Where IPv6's extension headers are cut off, no protocol can be compared.
  if (p.protocol === NO_PROTOCOL && t.protocol !== 0) return HOTDROP
  if (t.fragments !== 0 && ((p.fragment & FRAGMENT_OFFSET_MASK) !== 0) !== (t.fragments === 1)) return 0
  if (t.ports) {
    if (p.transport === 0) {
      looked.further = true
      return ask(t.allMatches, p)
    }
    if (p.sport < t.sportMin || p.sport > t.sportMax || p.dport < t.dportMin || p.dport > t.dportMax) return 0
  }
  if (((1 << p.ctinfo) & t.states) === 0 || ((p.mark & t.markMask) === t.mark) === t.markNot) return 0
  if (t.matches.length === 0) return 1
  if (!t.flow) looked.further = true
  return ask(t.matches, p)
}

/** IPv6: all four words of source and destination, each with those of its mask behind it. */
function addresses6Match(record: Int32Array, at: number, t: Tests, p: Packet): boolean {
  const source =
    (p.source & record[at + 4]) === record[at] &&
    (p.source1 & record[at + 5]) === record[at + 1] &&
    (p.source2 & record[at + 6]) === record[at + 2] &&
    (p.source3 & record[at + 7]) === record[at + 3]
  if (source === t.sourceNot) return false
  const destination =
    (p.destination & record[at + 12]) === record[at + 8] &&
    (p.destination1 & record[at + 13]) === record[at + 9] &&
    (p.destination2 & record[at + 14]) === record[at + 10] &&
    (p.destination3 & record[at + 15]) === record[at + 11]
  return destination !== t.destinationNot
}

function ask(matches: readonly MatchFunction[], p: Packet): number {
  for (let i = 0; i < matches.length; i++) {
    const said = matches[i](p)
    if (said !== 1) return said
  }
  return 1
}
