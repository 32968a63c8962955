// The flow table as commands reach it on the thread that owns it: for an engine in the same process.

import type { Conntrack } from '../conntrack.ts'
import { EventReader, EventWriter, eventMemory, type TakenEvent } from '../events.ts'
import { changeFlows, type FlowAnswer, type FlowChange } from '../flow-change.ts'
import type { FlowView } from '../flow-view.ts'
import { helperName } from '../helper/index.ts'
import { countersOf } from '../statistics.ts'
import type { Reading } from './entry.ts'
import type { FlowSource } from './run.ts'

interface Listener {
  readonly take: (event: TakenEvent) => void
  readonly lost: (count: number) => void
}

export class OwnFlowSource implements FlowSource {
  readonly #conntracks: readonly Conntrack[]
  readonly #listeners = new Set<Listener>()
  #reader: EventReader | undefined

  /** @param conntracks one a family; they count into the same statistics */
  constructor(conntracks: readonly Conntrack[]) {
    this.#conntracks = conntracks
  }

  get views(): readonly FlowView[] {
    return this.#conntracks.map(({ flows }) => flows)
  }

  reading(): Reading {
    const { time } = this.#conntracks[0]
    return { now: time.now, wall: time.wall, helperName }
  }

  statistics(): Readonly<Record<string, number>> {
    return countersOf(this.#conntracks[0])
  }

  change(family: 4 | 6, change: FlowChange, port: number): Promise<FlowAnswer> {
    return Promise.resolve(this.changeNow(family, change, port))
  }

  changeNow(family: 4 | 6, change: FlowChange, port: number): FlowAnswer {
    const conntrack = this.#conntracks.find(({ flows }) => flows.family === family)
    return conntrack === undefined ? { done: [0], refused: 'EINVAL' } : changeFlows(conntrack, change, port)
  }

  listen(take: Listener['take'], lost: Listener['lost']): () => void {
    const listener = { take, lost }
    this.#listeners.add(listener)
    if (this.#reader === undefined) {
      const memory = eventMemory()
      this.#reader = new EventReader(memory)
      const writer = new EventWriter(memory)
      for (const conntrack of this.#conntracks) conntrack.telling.listen(writer)
    }
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      this.#reader = undefined
      for (const conntrack of this.#conntracks) conntrack.telling.listen(undefined)
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
