// Rule files, sets and command lines are UTF-8 text. What is not is refused: to put something else in the place of what cannot be read
// would change what rules say.

import { isUtf8 } from 'node:buffer'
import type { Failure } from './program.ts'

/**
 * The bytes as text.
 * @param wrong makes what is thrown of the number of the first line that is no UTF-8, counted from 1
 */
export function textOf(bytes: Buffer, wrong: (line: number) => Error | Failure): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  let line = 1
  for (let at = 0; ; line++) {
    const end = bytes.indexOf(0x0a, at)
    if (end < 0 || !isUtf8(bytes.subarray(at, end))) throw wrong(line)
    at = end + 1
  }
}
