// What is registered at each hook, in order of priority: the built-in parts and users' hooks alike. Walking it is the
// whole of NF_HOOK: the first verdict other than ACCEPT ends the walk.

import type { Packet } from '../packet/packet.ts'
import { ACCEPT, DROP, HOOK_NAMES, QUEUE, REPEAT, STOLEN, VERDICT_MASK } from './hook.ts'

export interface Step {
  /** For listings: `filter`, `conntrack`, or what the user called it. */
  readonly name: string
  readonly priority: number
  readonly run: (p: Packet, hook: number) => number
  /** The reason under which a packet that this step drops is counted. */
  readonly reason: number
  /**
   * Left out: every packet has to come here. Otherwise packets of an established flow on a known way (pipeline-known.ts) need not:
   * SETTLED says that this step does nothing to them that the way does not do itself, and a number that it walks the rules of the
   * table of that number.
   */
  readonly settled?: number
}

export const SETTLED = -1

// What becomes of a packet that a step queues; otherwise it is dropped, for the reason of that number.
/** It may go on, as if the step had accepted it. */
export const PASSED = -1
/** It was taken, with its slot. */
export const HELD = -2

export type Queued = (p: Packet, hook: number, step: Step, verdict: number) => number

/** Told of every step that a packet comes to, before and after it: for who measures, and for who wants to see a packet's way. */
export interface Watch {
  enter(p: Packet, hook: number, step: Step): void
  /** The verdict is the step's; the packet's slot may be gone when it is not ACCEPT. */
  leave(p: Packet, hook: number, step: Step, verdict: number): void
}

export class Way {
  readonly #queued: Queued
  readonly #watch: Watch | undefined
  readonly #steps: Step[][] = HOOK_NAMES.map(() => [])
  /** Reason of the step that said the last verdict other than ACCEPT. */
  reason = 0

  constructor(queued: Queued, watch?: Watch) {
    this.#queued = queued
    this.#watch = watch
  }

  /** Steps of equal priority stand in the order of their registration. */
  add(hook: number, step: Step): void {
    const steps = this.#steps[hook]
    let at = steps.length
    while (at > 0 && steps[at - 1].priority > step.priority) at--
    steps.splice(at, 0, this.#watch === undefined ? step : watched(step, this.#watch))
  }

  steps(hook: number): readonly Step[] {
    return this.#steps[hook]
  }

  /**
   * Walks one hook, from the step in this place on, and not beyond the one before `to`.
   * @returns ACCEPT, DROP with `reason`, or STOLEN
   */
  walk(hook: number, p: Packet, from = 0, to = 0x7fffffff): number {
    const steps = this.#steps[hook]
    const end = Math.min(steps.length, to)
    for (let i = from; i < end; i++) {
      const step = steps[i]
      const verdict = step.run(p, hook)
      if (verdict === ACCEPT) continue
      if (verdict === REPEAT) {
        i--
        continue
      }
      if ((verdict & VERDICT_MASK) === QUEUE) {
        const said = this.#queued(p, hook, step, verdict)
        if (said === PASSED) continue
        this.reason = said
        return said === HELD ? STOLEN : DROP
      }
      this.reason = step.reason
      return verdict
    }
    return ACCEPT
  }

  /** Where to go on behind a step, or with `again` at it; rules may have been loaded since it was met. */
  place(hook: number, step: Step, again: boolean): number {
    const steps = this.#steps[hook]
    const same = steps.findIndex(({ name, priority }) => name === step.name && priority === step.priority)
    if (same >= 0) return again ? same : same + 1
    const behind = steps.findIndex(({ priority }) => priority > step.priority)
    return behind < 0 ? steps.length : behind
  }
}

function watched(step: Step, watch: Watch): Step {
  const run = (p: Packet, hook: number) => {
    watch.enter(p, hook, step)
    const verdict = step.run(p, hook)
    watch.leave(p, hook, step, verdict)
    return verdict
  }
  return { ...step, run }
}
