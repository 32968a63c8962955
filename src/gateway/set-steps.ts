// ipset's commands in the data plane: each order does a step of one, for no longer than packets can wait, and is answered with
// what it printed. Commands of several clients are under way at once; each line of theirs is whole.

import type { SetsAnswer, SetsStep } from '../control/ipset.ts'
import { IpsetCommand } from '../ipset/command.ts'
import type { SetStore } from '../ipset/store.ts'

/** How long one step may take, in milliseconds. */
const STEP_MS = 0.5

export class SetSteps {
  readonly #store: SetStore
  readonly #commands = new Map<number, IpsetCommand>()
  /** Which of the store's revisions the control side knows. */
  #told: number

  constructor(store: SetStore) {
    this.#store = store
    this.#told = store.revision
  }

  get families(): SetsAnswer['families'] {
    return this.#store.slots().map(({ name, set }) => [name, set.settings.family])
  }

  do({ command: id, argv, input, inputEnded, named, complete, left }: SetsStep): SetsAnswer {
    let command = this.#commands.get(id)
    if (argv !== undefined) {
      command = new IpsetCommand(this.#store, argv, complete)
      this.#commands.set(id, command)
    }
    if (command === undefined) throw new Error(`a step of ipset's command ${id}, which has not begun`)
    if (input !== undefined) command.give(input)
    if (inputEnded) command.endInput()
    if (named !== undefined) command.learn(named)
    let state: SetsAnswer['state'] = 'done'
    try {
      if (!left) state = this.#advance(command)
    } catch (error) {
      // A mistake in the program: it ends this command, and nothing else.
      this.#commands.delete(id)
      const stderr = `ipset: ${(error as Error).stack}\n`
      return { state: 'done', stdout: '', stderr, status: 1, changes: this.#store.changes }
    }
    if (state === 'done') this.#commands.delete(id)
    const answer = {
      state,
      ...command.takePrinted(),
      status: command.status,
      changes: this.#store.changes,
      ...(state === 'names' && { wanted: command.wanted }),
    }
    // Not with each piece of a restore.
    if (this.#told === this.#store.revision || !(state === 'done' || command.interactive)) return answer
    this.#told = this.#store.revision
    return { ...answer, families: this.families }
  }

  #advance(command: IpsetCommand): SetsAnswer['state'] {
    const until = performance.now() + STEP_MS
    do {
      const state = command.step()
      if (state !== 'more') return state
    } while (performance.now() < until)
    return 'more'
  }
}
