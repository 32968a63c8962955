// Rules that outlive the gateway: `up --state FILE`. The file is iptables-save's text; it is written beside and renamed, so
// that it is always whole, soon after each change and once for changes that follow each other closely.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { TunfilterError } from '../errors.ts'
import { save } from '../iptables/save.ts'
import type { RuleSet } from '../rule/model.ts'
import type { RuleText } from './orders.ts'

/** How long changes are collected, in milliseconds. */
const COLLECT = 100

export class StateFile {
  readonly #file: string
  readonly #failed: (message: string) => void
  #unsaved: RuleSet | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param failed is told when the rules cannot be saved */
  constructor(file: string, failed: (message: string) => void) {
    this.#file = file
    this.#failed = failed
  }

  /** What was saved; undefined where there is no file yet. Throws ERR_STATE_FILE where it cannot be read. */
  static read(file: string): RuleText | undefined {
    if (!existsSync(file)) return undefined
    try {
      return { file, text: readFileSync(file, 'utf8') }
    } catch (cause) {
      throw new TunfilterError('ERR_STATE_FILE', `${file}: ${(cause as Error).message}`, { cause })
    }
  }

  save(ruleSet: RuleSet): void {
    this.#unsaved = ruleSet
    this.#timer ??= setTimeout(() => this.flush(), COLLECT)
  }

  /** Writes at once what waits to be written. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#unsaved === undefined) return
    const beside = `${this.#file}.new`
    try {
      writeFileSync(beside, save(this.#unsaved), { mode: 0o600 })
      renameSync(beside, this.#file)
      this.#unsaved = undefined
    } catch (error) {
      this.#failed(`the rules are not saved: ${(error as Error).message}`)
    }
  }
}
