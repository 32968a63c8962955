// The wire form of the control socket (see README.md): frames of a length, a kind and a payload. What comes from a client is
// bounded before it is kept: a frame that says it is longer than FRAME_MAX ends the conversation.

import { TunfilterError } from '../errors.ts'

/** Length (4 bytes, the most significant first; of the payload alone) and kind. */
export const HEADER = 5
export const FRAME_MAX = 1 << 20

// What a client sends.
/** The words of the command, the name it was called by first; each ends in a NUL byte. */
export const ARGUMENTS = 'A'
/** A piece of what was asked for by READ or FILE. */
export const INPUT = 'I'
/** There is no more of it. */
export const INPUT_END = 'i'
/** It cannot be read; the payload says why. */
export const INPUT_FAILED = 'x'

// What the gateway sends.
/** Standard input is wanted. */
export const READ = 'R'
/** A piece of standard input is wanted, as soon as there is one: answered by one INPUT, or INPUT_END. */
export const READ_SOME = 'r'
/** The file of this name is wanted. */
export const FILE = 'F'
/** What OUTPUT brings from here on is for the file of this name. */
export const WRITE = 'W'
export const OUTPUT = 'O'
export const ERROR = 'E'
/** The end; the payload is the exit status, one byte. */
export const STATUS = 'S'

export interface Frame {
  readonly kind: string
  readonly payload: Buffer
}

export function frame(kind: string, payload: Buffer | string = ''): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  const head = Buffer.alloc(HEADER)
  head.writeUInt32BE(bytes.length)
  head[4] = kind.charCodeAt(0)
  return Buffer.concat([head, bytes])
}

/** Output in frames of a size that every client takes. */
export function* frames(kind: string, text: string): Generator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += FRAME_MAX) yield frame(kind, bytes.subarray(at, at + FRAME_MAX))
}

/** Puts frames together from whatever pieces arrive. */
export class FrameReader {
  #pieces: Buffer[] = []
  #length = 0

  /** Throws ERR_CONTROL_FRAME where a frame is too long. */
  push(piece: Buffer): Frame[] {
    const found: Frame[] = []
    this.#pieces.push(piece)
    this.#length += piece.length
    while (this.#length >= HEADER) {
      const head = this.#peek(HEADER)
      const length = head.readUInt32BE()
      if (length > FRAME_MAX)
        throw new TunfilterError('ERR_CONTROL_FRAME', `a frame of ${length} bytes: expected at most ${FRAME_MAX}`)
      if (this.#length < HEADER + length) break
      const whole = this.#peek(HEADER + length)
      this.#pieces = [this.#pieces[0].subarray(HEADER + length), ...this.#pieces.slice(1)]
      this.#length -= HEADER + length
      found.push({ kind: String.fromCharCode(whole[4]), payload: whole.subarray(HEADER, HEADER + length) })
    }
    return found
  }

  /** The first bytes, in one piece. */
  #peek(length: number): Buffer {
    if (this.#pieces[0].length < length) this.#pieces = [Buffer.concat(this.#pieces)]
    return this.#pieces[0]
  }
}
