// What only TCP flows need: SEQUENCE_WORDS a flow beside its record (tcp-record.ts). Records are given out in blocks, and a block
// has these words from the time on when the first TCP flow is in it; flows that are not TCP's are kept to other blocks for as long
// as there are others (FlowTable.allocate). So a table of nothing but UDP costs none of it, and one of nothing but TCP no more than that.
//
// What always holds: a record that was allocated for TCP has its words. A block keeps them, for the next TCP flows in it. A block is
// made in microseconds, since the system hands out its pages as they are first touched; so growing never pauses.

import { SEQUENCE_WORDS } from './record.ts'

const BLOCK_SHIFT = 12
/** Records of a block. */
export const BLOCK = 1 << BLOCK_SHIFT

const NONE = new Int32Array(new SharedArrayBuffer(0))

/** Where in its block's words a record's begin. */
export function sequencesAt(ct: number): number {
  return (ct & (BLOCK - 1)) * SEQUENCE_WORDS
}

export class Sequences {
  readonly #blocks: Int32Array<SharedArrayBuffer>[]
  readonly #max: number

  /** @param max records that there are */
  constructor(max: number) {
    this.#max = max
    this.#blocks = Array.from({ length: Math.ceil(max / BLOCK) }, () => NONE)
  }

  /** The words of the record's block: its own stand at sequencesAt(). Empty for a block without TCP flows. */
  of(ct: number): Int32Array<SharedArrayBuffer> {
    return this.#blocks[ct >> BLOCK_SHIFT]
  }

  /** Whether the record has words. */
  has(ct: number): boolean {
    return this.#blocks[ct >> BLOCK_SHIFT] !== NONE
  }

  /** The record's block has words from now on. */
  provide(ct: number): void {
    const block = ct >> BLOCK_SHIFT
    if (this.#blocks[block] !== NONE) return
    const records = Math.min(BLOCK, this.#max - block * BLOCK)
    this.#blocks[block] = new Int32Array(new SharedArrayBuffer(records * SEQUENCE_WORDS * 4))
  }

  /** Nothing was seen of the flow yet. */
  clear(ct: number): void {
    const at = sequencesAt(ct)
    this.of(ct).fill(0, at, at + SEQUENCE_WORDS)
  }

  /** Blocks that have words. */
  get made(): readonly Int32Array<SharedArrayBuffer>[] {
    return this.#blocks.filter((block) => block !== NONE)
  }
}
