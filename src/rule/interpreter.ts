// Walks a chain rule by rule: plain, and obviously what iptables does. It is the fallback of whatever is faster and the
// oracle that faster ways are held against. A jump pushes the place behind it, a goto does not; RETURN and the end of a
// user chain pop; with nothing left to pop the built-in chain's policy decides, and only then does its counter count.

import { DROP } from '../hook/hook.ts'
import { NO_PROTOCOL, type Packet } from '../packet/packet.ts'
import { FRAGMENT_OFFSET_MASK } from '../wire/ipv4.ts'
import { CONTINUE, HOTDROP, type MatchFunction, RETURN } from './define.ts'
import { DO_GOTO, DO_JUMP, DO_TARGET, type Entry, type ReadyAction } from './entry.ts'
import { CHUNK_MASK, CHUNK_SHIFT, type Chunks } from './ledger.ts'
import type { ChainProgram } from './program.ts'

export class Interpreter {
  // Where to go on after a chain's end. A target may send a packet that walks rules itself (REJECT), so each walk only
  // looks at what it pushed: from the depth that it found.
  readonly #chains: ChainProgram[] = []
  readonly #places: number[] = []
  #depth = 0

  /** @returns the verdict: ACCEPT, DROP, STOLEN, QUEUE or REPEAT */
  run(base: ChainProgram, counters: Chunks, p: Packet, hook: number): number {
    const floor = this.#depth
    let chain = base
    let place = 0
    for (;;) {
      let verdict = RETURN
      if (place < chain.entries.length) {
        const entry = chain.entries[place++]
        const matched = matches(entry, p)
        if (matched !== 1) {
          if (matched !== HOTDROP) continue
          this.#depth = floor
          return DROP
        }
        count(counters, entry.counter, p.length)
        const { action } = entry
        if (action.does === DO_JUMP || action.does === DO_GOTO) {
          if (action.does === DO_JUMP) {
            this.#chains[this.#depth] = chain
            this.#places[this.#depth++] = place
          }
          chain = action.chain as ChainProgram
          place = 0
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
        count(counters, base.counter, p.length)
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

/** 1 when the rule matches, 0 when not, HOTDROP when a match could not judge the packet. */
export function matches(e: Entry, p: Packet): number {
  const t = e.tests
  if (t.protocol !== 0 && (p.protocol === t.protocol) === t.protocolNot && p.protocol !== NO_PROTOCOL) return 0
  if (e.more === undefined) {
    if (((p.source & e.sourceMask) === e.source) === t.sourceNot) return 0
    if (((p.destination & e.destinationMask) === e.destination) === t.destinationNot) return 0
  } else if (!addressesMatch(e, e.more, p)) return 0
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
  if (((1 << p.ctinfo) & t.states) === 0 || (p.mark & t.markMask) !== t.mark) return 0
  if (t.matches.length === 0) return 1
  if (!t.flow) looked.further = true
  return ask(t.matches, p)
}

/** IPv6: all four words, of which `more` has the last three (rule/entry.ts). */
function addressesMatch(e: Entry, more: Int32Array, p: Packet): boolean {
  const source =
    (p.source & e.sourceMask) === e.source &&
    (p.source1 & more[3]) === more[0] &&
    (p.source2 & more[4]) === more[1] &&
    (p.source3 & more[5]) === more[2]
  if (source === e.tests.sourceNot) return false
  const destination =
    (p.destination & e.destinationMask) === e.destination &&
    (p.destination1 & more[9]) === more[6] &&
    (p.destination2 & more[10]) === more[7] &&
    (p.destination3 & more[11]) === more[8]
  return destination !== e.tests.destinationNot
}

function ask(matches: readonly MatchFunction[], p: Packet): number {
  for (let i = 0; i < matches.length; i++) {
    const said = matches[i](p)
    if (said !== 1) return said
  }
  return 1
}
