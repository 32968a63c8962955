// Files that users name: rules, sets. `-` is standard input.

import { readFileSync } from 'node:fs'
import { TunfilterError } from '../errors.ts'

/** What a file is called in what is said of it. */
export function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file
}

/** The whole text. Throws ERR_RULE_FILE, with the file's name and the system's reason, for what cannot be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (cause) {
    throw new TunfilterError('ERR_RULE_FILE', `${file}: ${(cause as Error).message}`, { cause })
  }
}
