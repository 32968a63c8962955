// The flow table as commands on the control socket reach it: read out of shared memory, changed by orders to the data plane.
// Events come through a ring in shared memory that is looked at every few milliseconds, while somebody listens; one ring
// serves all listeners.

import type { Reading } from '../conntrack/command/entry.ts'
import type { FlowSource } from '../conntrack/command/run.ts'
import { EventReader, eventMemory, type SharedEvents, type TakenEvent } from '../conntrack/events.ts'
import type { SharedExtensions } from '../conntrack/extensions.ts'
import type { FlowAnswer, FlowChange } from '../conntrack/flow-change.ts'
import { FlowView, type SharedFlows } from '../conntrack/flow-view.ts'
import { helperName } from '../conntrack/helper/index.ts'
import { STATS } from '../conntrack/statistics.ts'
import { SystemClock, Time } from '../time.ts'

/** Milliseconds between looks into the ring. */
const INTERVAL = 5
/** Events that are told at one look, so that other clients are served too. */
const AT_ONCE = 4096

/** What the data plane says of its tables when it starts. */
export interface FlowsReport {
  /** One a family. */
  readonly flows: readonly SharedFlows[]
  /** Of both. */
  readonly statistics: Float64Array
}

export interface FlowOrders {
  change(family: 4 | 6, change: FlowChange, port: number): Promise<FlowAnswer>
  /** Events go into this memory from now on; undefined: nobody listens. */
  listen(memory: SharedEvents | undefined): void
}

interface Listener {
  readonly take: (event: TakenEvent) => void
  readonly lost: (count: number) => void
}

export class SharedFlowSource implements FlowSource {
  readonly views: readonly FlowView[]
  readonly #statistics: Float64Array
  readonly #orders: FlowOrders
  readonly #clock = new SystemClock()
  readonly #time = new Time()
  readonly #listeners = new Set<Listener>()
  #memory: SharedEvents | undefined
  #timer: NodeJS.Timeout | undefined

  constructor({ flows, statistics }: FlowsReport, orders: FlowOrders) {
    this.views = flows.map((each) => {
      const view = new FlowView(each)
      view.extensions.adopt(each.extensions)
      return view
    })
    this.#statistics = statistics
    this.#orders = orders
  }

  /** The data plane has made arrays that it had no use for before. */
  extended(family: 4 | 6, extensions: SharedExtensions): void {
    this.views.find((view) => view.family === family)?.extensions.adopt(extensions)
  }

  reading(): Reading {
    this.#time.set(this.#clock.now())
    return { now: this.#time.now, wall: this.#time.wall, helperName }
  }

  statistics(): Readonly<Record<string, number>> {
    return Object.fromEntries(STATS.map((name, i) => [name, this.#statistics[i]]))
  }

  change(family: 4 | 6, change: FlowChange, port: number): Promise<FlowAnswer> {
    return this.#orders.change(family, change, port)
  }

  listen(take: Listener['take'], lost: Listener['lost']): () => void {
    const listener = { take, lost }
    this.#listeners.add(listener)
    if (this.#timer === undefined) {
      this.#memory = eventMemory()
      const reader = new EventReader(this.#memory)
      this.#orders.listen(this.#memory)
      this.#timer = setInterval(() => this.#look(reader), INTERVAL)
    }
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
      this.#orders.listen(undefined)
    }
  }

  #look(reader: EventReader): void {
    for (let n = 0; n < AT_ONCE; n++) {
      const event = reader.take()
      if (event === undefined) break
      for (const { take } of this.#listeners) take(event)
    }
    const lost = reader.lost()
    if (lost > 0) for (const listener of this.#listeners) listener.lost(lost)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#listeners.clear()
  }
}
