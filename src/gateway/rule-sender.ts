// Changes of rules on their way to the data plane: sent in messages that are each read in a moment, answered once.

import type { Plane } from '../control/commands.ts'
import { Counts, type OutlinePiece } from '../control/counts.ts'
import { changeOf, type Piece } from '../rule/change.ts'
import type { CountsOf } from '../rule/counters.ts'
import type { Family, RuleSet } from '../rule/model.ts'
import { type PlainRun, plainRun, RUN_MAX } from '../rule/run.ts'
import type { Order, Report } from './orders.ts'

type Answer = Extract<Report, { kind: 'changed' }>

export class RuleSender implements Plane {
  readonly #send: (order: Order) => void
  readonly #counts: Readonly<Record<Family, Counts>> = { 4: new Counts(), 6: new Counts() }
  /** Who waits for the answer; changes take turns. */
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined

  constructor(send: (order: Order) => void) {
    this.#send = send
  }

  async change(before: RuleSet, after: RuleSet): Promise<CountsOf> {
    const answered = new Promise<Answer>((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
    const outline = this.#sendPieces(before, after)
    const { places, chunks } = await answered
    const counts = this.#counts[after.family]
    counts.follow(outline, places, chunks)
    return counts.of
  }

  #sendPieces(before: RuleSet, after: RuleSet): OutlinePiece[] {
    const { family } = after
    const outline: OutlinePiece[] = []
    let pieces: Piece<PlainRun>[] = []
    let weight = 0
    for (const piece of changeOf(before, after)) {
      if (piece.kind === 'rules') {
        outline.push({ kind: 'rules', run: { count: piece.run.count } })
        pieces.push({ kind: 'rules', run: plainRun(piece.run) })
        weight += piece.run.count
      } else {
        outline.push(piece)
        pieces.push(piece)
        weight += piece.kind === 'gone' ? piece.chains.length : 1
      }
      if (weight < RUN_MAX) continue
      this.#send({ kind: 'change', family, pieces, last: false })
      pieces = []
      weight = 0
    }
    this.#send({ kind: 'change', family, pieces, last: true })
    return outline
  }

  changed(answer: Answer): void {
    this.#waiting?.resolve(answer)
    this.#waiting = undefined
  }

  /** The data plane did not make the change, or is there no more. */
  failed(error: Error): void {
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }
}
