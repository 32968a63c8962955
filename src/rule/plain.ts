// Tests that are nothing but a comparison of one field of the packet descriptor with constants. The interpreter makes them
// where it stands, without a call: 20 rules, seven of which would call: 470 ns a packet instead of 540 (`scripts/bench memory`).
//
// Only the matches at the front of a rule are taken over, up to the first that is more than that: what stands behind a
// match that counts or spends (limit, recent) must not be asked before it.

import type { MatchFunction, PlainTest } from './define.ts'
import type { MatchUse } from './model.ts'

const NOTHING: readonly MatchFunction[] = []

/** A conjunction; each part as it is here lets everything pass. */
export class PlainTests {
  /** Ports are compared, and so there has to be a transport header. */
  ports = false
  sportMin = 0
  sportMax = 0xffff
  dportMin = 0
  dportMax = 0xffff
  /** Bits 1 << ctinfo. */
  states = -1
  mark = 0
  markMask = 0
  markNot = false
  /** How many of the rule's matches these tests stand for. */
  count = 0

  /** Takes over what it can of a rule's matches, from the front. */
  constructor(uses: readonly MatchUse[]) {
    for (const { declaration, options } of uses) {
      const test = declaration.plain?.(options as never)
      if (test === undefined || !this.#add(test)) return
      this.count++
    }
  }

  /** False when another match of the rule has the same field already. */
  #add({ ports, states, mark }: PlainTest): boolean {
    if ((ports && this.ports) || (states !== undefined && this.states !== -1) || (mark && this.markMask !== 0))
      return false
    if (ports) {
      this.ports = true
      this.sportMin = ports.sport.min
      this.sportMax = ports.sport.max
      this.dportMin = ports.dport.min
      this.dportMax = ports.dport.max
    }
    if (states !== undefined) this.states = states
    if (mark) {
      this.mark = mark.value
      this.markMask = mark.mask
      this.markNot = mark.not
    }
    return true
  }

  /** The matches that are left to be called. */
  rest(matches: readonly MatchFunction[]): readonly MatchFunction[] {
    return this.count === matches.length ? NOTHING : matches.slice(this.count)
  }
}
