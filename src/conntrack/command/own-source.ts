// The flow table as commands reach it on the thread that owns it: for an engine in the same process.

import type { Conntrack } from '../conntrack.ts'
import { EventReader, EventWriter, eventMemory, type TakenEvent } from '../events.ts'
import { changeFlows, type FlowAnswer, type FlowChange } from '../flow-change.ts'
import type { FlowView } from '../flow-view.ts'
import type { Reading } from './entry.ts'
import type { FlowSource } from './run.ts'

interface Listener {
  readonly take: (event: TakenEvent) => void
  readonly lost: (count: number) => void
}

export class OwnFlowSource implements FlowSource {
  readonly #conntrack: Conntrack
  readonly #listeners = new Set<Listener>()
  #reader: EventReader | undefined

  constructor(conntrack: Conntrack) {
    this.#conntrack = conntrack
  }

  get view(): FlowView {
    return this.#conntrack.flows
  }

  reading(): Reading {
    const { time, helperName } = this.#conntrack
    return { now: time.now, wall: time.wall, helperName }
  }

  statistics(): Readonly<Record<string, number>> {
    return this.#conntrack.counters()
  }

  change(change: FlowChange, port: number): Promise<FlowAnswer> {
    return Promise.resolve(changeFlows(this.#conntrack, change, port))
  }

  listen(take: Listener['take'], lost: Listener['lost']): () => void {
    const listener = { take, lost }
    this.#listeners.add(listener)
    if (this.#reader === undefined) {
      const memory = eventMemory()
      this.#reader = new EventReader(memory)
      this.#conntrack.listen(new EventWriter(memory))
    }
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      this.#reader = undefined
      this.#conntrack.listen(undefined)
    }
  }

  /** Tells the listeners what has happened since this was last called. */
  tell(): void {
    const reader = this.#reader
    if (reader === undefined) return
    for (let event = reader.take(); event !== undefined; event = reader.take())
      for (const { take } of this.#listeners) take(event)
    const count = reader.lost()
    if (count > 0) for (const { lost } of this.#listeners) lost(count)
  }
}
