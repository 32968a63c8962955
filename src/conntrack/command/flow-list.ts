// The flows of an engine as a program sees them: to go through, to change, and to be told of. What a listener hears is told
// after the round in which it happened; while nobody listens, nothing is noted.

import type { Conntrack } from '../conntrack.ts'
import type { FlowAnswer, FlowSettings } from '../flow-change.ts'
import { type FlowEntry, listFlows, readEvent } from './entry.ts'
import type { EventFields } from './line.ts'
import { OwnFlowSource } from './own-source.ts'
import { eventFields } from './watch.ts'

/** What names a flow: its family, record and id. */
type FlowOfFamily = Pick<FlowEntry, 'family' | 'ct' | 'id'>

export interface FlowEvent {
  readonly kind: EventFields['kind']
  /** The flow as it was then. */
  readonly flow: FlowEntry
  /** Milliseconds since the epoch. */
  readonly at: number
}

export class FlowList implements Iterable<FlowEntry> {
  /** For the commands of `conntrack`. */
  readonly source: OwnFlowSource

  /** @param conntracks one a family */
  constructor(conntracks: readonly Conntrack[]) {
    this.source = new OwnFlowSource(conntracks)
  }

  /** Flows that there are, those that are just being begun included. */
  get count(): number {
    return this.source.views.reduce((sum, { count }) => sum + count, 0)
  }

  /** All confirmed flows, each as it stands when it is reached. */
  *[Symbol.iterator](): Generator<FlowEntry> {
    for (const view of this.source.views) yield* listFlows(view, this.source.reading())
  }

  /** Ends a flow; false where it has ended already. */
  delete(flow: FlowOfFamily): boolean {
    return this.source.changeNow(flow.family, { kind: 'delete', flows: [flow] }, OWN).done[0] === 1
  }

  /** Ends all flows. @returns how many */
  clear(): number {
    let count = 0
    for (const { family, used } of this.source.views)
      count += this.source.changeNow(family, { kind: 'flush', from: 0, to: used }, OWN).done[0]
    return count
  }

  /** Sets timeout (seconds), mark, status bits or labels of a flow; the answer says why not. */
  update(flow: FlowOfFamily, set: FlowSettings): FlowAnswer {
    return this.source.changeNow(flow.family, { kind: 'update', flow, set }, OWN)
  }

  /**
   * Calls `listener` for each event of flows that begin from now on.
   * @param lost is told how many events came too fast to be kept
   * @returns a function that ends it
   */
  listen(listener: (event: FlowEvent) => void, lost: (count: number) => void = () => {}): () => void {
    return this.source.listen((taken) => {
      if (taken.expectation !== undefined) return
      const { kind } = eventFields(taken)
      listener({ kind, flow: readEvent(taken, this.source.reading()), at: taken.wall })
    }, lost)
  }

  /** The same as an iterator, until `signal` is aborted; of a reader that is too slow, the oldest events are lost. */
  async *events(signal?: AbortSignal): AsyncGenerator<FlowEvent> {
    const waiting: FlowEvent[] = []
    let wake = () => {}
    const stop = this.listen((event) => {
      if (waiting.length >= WAITING_MAX) waiting.shift()
      waiting.push(event)
      wake()
    })
    signal?.addEventListener('abort', () => wake(), { once: true })
    try {
      while (signal?.aborted !== true) {
        const next = waiting.shift()
        if (next !== undefined) yield next
        else
          await new Promise<void>((resolve) => {
            wake = resolve
          })
      }
    } finally {
      stop()
    }
  }
}

/** Who asks, as events have it: nobody on the control socket. */
const OWN = 0
const WAITING_MAX = 1 << 16
