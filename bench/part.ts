// What a part of the benchmark is made of. A part has tasks; each task is measured in a process of its own, so that none
// disturbs another's heap, compiled code or memory. Tasks that can be measured in rounds take turns with the others of
// their part, round by round: the machine's speed drifts, and what drifts must meet all of them alike.

import type { Plot } from '../src/cost/plot.ts'
import type { Figure, Result, Target } from './figure.ts'

/** A task that takes turns. All that has to be made ready is ready; nobody else measures while one of these runs. */
export interface Turns {
  readonly rounds: number
  round(): void | Promise<void>
  finish(): Result | Promise<Result>
}

export interface Part<Task = unknown> {
  readonly name: string
  /** What the tasks' processes are told; everything in it survives JSON. */
  tasks(options: Options): readonly Task[]
  /** In a process of its own. Imports what it needs when it is called. */
  measure(task: Task, options: Options): Promise<Result | Turns>
  /** Options for the task's node, besides --expose-gc. */
  nodeOptions?(task: Task): readonly string[]
  /** Seconds after which a task, or one of its rounds, has failed. */
  limit?(options: Options): number
  /** What is promised of figures of several tasks. */
  targets?(figures: readonly Figure[]): readonly Target[]
  /** Drawn of all of the part's figures; files are called after their names. */
  plots?(figures: readonly Figure[]): readonly Named[]
}

export interface Named {
  /** `rules`, `latency`, ...: bench/plots/NAME.svg. */
  readonly name: string
  readonly plot: Plot
}

export interface Options {
  readonly quick: boolean
  /** Of the soak. */
  readonly minutes: number
}
