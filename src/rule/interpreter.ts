// Walks a chain rule by rule: plain, and obviously what iptables does. It is the fallback of whatever is faster and the
// oracle that faster ways are held against. A jump pushes the place behind it, a goto does not; RETURN and the end of a
// user chain pop; with nothing left to pop the built-in chain's policy decides, and only then does its counter count.

import { DROP } from '../hook/hook.ts'
import type { Packet } from '../packet/packet.ts'
import { FRAGMENT_OFFSET_MASK } from '../wire/ipv4.ts'
import { CONTINUE, HOTDROP, type MatchFunction, RETURN } from './define.ts'
import { type ChainProgram, DO_GOTO, DO_JUMP, DO_TARGET, type Entry } from './program.ts'

export class Interpreter {
  // Where to go on after a chain's end. A target may send a packet that walks rules itself (REJECT), so each walk only
  // looks at what it pushed: from the depth that it found.
  readonly #chains: ChainProgram[] = []
  readonly #places: number[] = []
  #depth = 0

  /** @returns the verdict: ACCEPT, DROP, STOLEN, QUEUE or REPEAT */
  run(base: ChainProgram, counters: Float64Array, p: Packet, hook: number): number {
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
        counters[entry.counter]++
        counters[entry.counter + 1] += p.length
        if (entry.action === DO_JUMP || entry.action === DO_GOTO) {
          if (entry.action === DO_JUMP) {
            this.#chains[this.#depth] = chain
            this.#places[this.#depth++] = place
          }
          chain = entry.chain as ChainProgram
          place = 0
          continue
        }
        verdict = entry.action === DO_TARGET ? (entry.target as NonNullable<Entry['target']>)(p, hook) : entry.verdict
        if (verdict === CONTINUE) continue
      }
      if (verdict !== RETURN) {
        this.#depth = floor
        return verdict
      }
      if (this.#depth === floor) {
        counters[base.counter]++
        counters[base.counter + 1] += p.length
        return base.policy
      }
      chain = this.#chains[--this.#depth]
      place = this.#places[this.#depth]
    }
  }
}

/** 1 when the rule matches, 0 when not, HOTDROP when a match could not judge the packet. */
function matches(e: Entry, p: Packet): number {
  if (e.protocol !== 0 && (p.protocol === e.protocol) === e.protocolNot) return 0
  if (((p.source & e.sourceMask) === e.source) === e.sourceNot) return 0
  if (((p.destination & e.destinationMask) === e.destination) === e.destinationNot) return 0
  if (e.inLinks !== undefined && e.inLinks[p.inLink] === 0) return 0
  if (e.outLinks !== undefined && e.outLinks[p.outLink] === 0) return 0
  if (e.fragments !== 0 && ((p.fragment & FRAGMENT_OFFSET_MASK) !== 0) !== (e.fragments === 1)) return 0
  if (e.ports) {
    if (p.transport === 0) return ask(e.allMatches, p)
    if (p.sport < e.sportMin || p.sport > e.sportMax || p.dport < e.dportMin || p.dport > e.dportMax) return 0
  }
  if (((1 << p.ctinfo) & e.states) === 0 || (p.mark & e.markMask) !== e.mark) return 0
  return ask(e.matches, p)
}

function ask(matches: readonly MatchFunction[], p: Packet): number {
  for (let i = 0; i < matches.length; i++) {
    const said = matches[i](p)
    if (said !== 1) return said
  }
  return 1
}
