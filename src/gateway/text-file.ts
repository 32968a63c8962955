// Files that users name: rules, sets. `-` is standard input.

import { readFileSync } from 'node:fs'
import { TunfilterError } from '../errors.ts'
import { textOf } from '../iptables/encoding.ts'

/** What a file is called in what is said of it. */
export function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file
}

/** The whole text. Throws ERR_RULE_FILE, with the file's name and the reason, for what cannot be read or is no UTF-8. */
export function readText(file: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(file === '-' ? 0 : file)
  } catch (cause) {
    throw new TunfilterError('ERR_RULE_FILE', `${file}: ${(cause as Error).message}`, { cause })
  }
  const notText = (line: number) =>
    new TunfilterError('ERR_RULE_FILE', `${nameOf(file)}:${line}: the line is not UTF-8: expected UTF-8 text`)
  return textOf(bytes, notText)
}
