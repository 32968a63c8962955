// What is registered at each hook, in order of priority: the built-in parts and users' hooks alike. Walking it is the
// whole of NF_HOOK: the first verdict other than ACCEPT ends the walk.

import type { Packet } from '../packet/packet.ts'
import { ACCEPT, HOOK_NAMES, REPEAT } from './hook.ts'

export interface Step {
  /** For listings: `filter`, `conntrack`, or what the user called it. */
  readonly name: string
  readonly priority: number
  readonly run: (p: Packet, hook: number) => number
  /** The reason under which a packet that this step drops is counted. */
  readonly reason: number
}

export class Way {
  readonly #steps: Step[][] = HOOK_NAMES.map(() => [])
  /** Reason of the step that said the last verdict other than ACCEPT. */
  reason = 0

  /** Steps of equal priority stand in the order of their registration. */
  add(hook: number, step: Step): void {
    const steps = this.#steps[hook]
    let at = steps.length
    while (at > 0 && steps[at - 1].priority > step.priority) at--
    steps.splice(at, 0, step)
  }

  steps(hook: number): readonly Step[] {
    return this.#steps[hook]
  }

  /** Walks one hook. */
  walk(hook: number, p: Packet): number {
    const steps = this.#steps[hook]
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]
      const verdict = step.run(p, hook)
      if (verdict === ACCEPT) continue
      if (verdict === REPEAT) {
        i--
        continue
      }
      this.reason = step.reason
      return verdict
    }
    return ACCEPT
  }
}
