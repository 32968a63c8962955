// A file read from front to back through one buffer, so that its size does not matter. `take` says what was expected
// and where when the file ends too early.

import { closeSync, openSync, readSync } from 'node:fs'
import { TunfilterError } from '../../errors.ts'

const CHUNK = 1 << 20

export class Input {
  readonly file: string
  readonly #fd: number
  #buffer = Buffer.alloc(CHUNK)
  #start = 0
  #end = 0
  /** Where in the file the next byte stands that `take` gives. */
  #offset = 0

  /** Throws ERR_CAPTURE_FILE where there is no such file to read. `-` is standard input. */
  constructor(file: string) {
    this.file = file === '-' ? 'standard input' : file
    try {
      this.#fd = file === '-' ? 0 : openSync(file, 'r')
    } catch (cause) {
      throw new TunfilterError('ERR_CAPTURE_FILE', `${file}: ${(cause as Error).message}`, { cause })
    }
  }

  get offset(): number {
    return this.#offset
  }

  /** Makes up to `length` bytes available without taking them; less at the end of the file. */
  peek(length: number): Buffer {
    while (this.#end - this.#start < length && this.#fill(length));
    return this.#buffer.subarray(this.#start, Math.min(this.#end, this.#start + length))
  }

  /** The next bytes, valid until the next call. Throws ERR_CAPTURE where the file ends before. */
  take(length: number, what: string): Buffer {
    const bytes = this.peek(length)
    if (bytes.length < length)
      this.fail(`the file ends within ${what}: expected ${length} bytes, found ${bytes.length}`)
    this.#start += length
    this.#offset += length
    return bytes
  }

  fail(message: string, offset = this.#offset): never {
    throw new TunfilterError('ERR_CAPTURE', `${this.file}: offset ${offset}: ${message}`)
  }

  close(): void {
    if (this.#fd !== 0) closeSync(this.#fd)
  }

  #fill(length: number): boolean {
    const rest = this.#end - this.#start
    if (this.#start > 0) {
      if (length > this.#buffer.length) {
        const larger = Buffer.alloc(length + CHUNK)
        this.#buffer.copy(larger, 0, this.#start, this.#end)
        this.#buffer = larger
      } else {
        this.#buffer.copyWithin(0, this.#start, this.#end)
      }
      this.#start = 0
      this.#end = rest
    } else if (length > this.#buffer.length) {
      const larger = Buffer.alloc(length + CHUNK)
      this.#buffer.copy(larger, 0, 0, this.#end)
      this.#buffer = larger
    }
    const read = this.#read()
    this.#end += read
    return read > 0
  }

  #read(): number {
    for (;;) {
      try {
        return readSync(this.#fd, this.#buffer, this.#end, this.#buffer.length - this.#end, null)
      } catch (error) {
        // A pipe that nobody has written to yet, where standard input is non-blocking.
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') Atomics.wait(nap, 0, 0, 5)
        else if ((error as NodeJS.ErrnoException).code === 'EOF') return 0
        else throw new TunfilterError('ERR_CAPTURE_FILE', `${this.file}: ${(error as Error).message}`, { cause: error })
      }
    }
  }
}

const nap = new Int32Array(new SharedArrayBuffer(4))
