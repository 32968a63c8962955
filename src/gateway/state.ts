// Rules and sets that outlive the gateway: `up --state FILE`. The file is what ipset and iptables save, each behind a line that
// says what follows; a file without such lines is iptables' alone. It is written beside and renamed, so that it is always whole,
// soon after each change and once for changes that follow each other closely.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { TunfilterError } from '../errors.ts'
import { save } from '../iptables/save.ts'
import type { Family, RuleSet } from '../rule/model.ts'
import type { RuleText } from './orders.ts'

/** How long changes are collected, in milliseconds. */
const COLLECT = 100
/** Sets may be large: as many times as long as it took to list them, it is not done again. */
const REST = 10

const SECTIONS = ['ipset', 'nfacct', 'iptables', 'ip6tables'] as const
type Section = (typeof SECTIONS)[number]

const heading = (section: Section) => `# tunfilter state: ${section}\n`

/** What was saved, each with empty lines before it, so that lines are counted as in the file. */
export type State = Readonly<Partial<Record<Section, RuleText>>>

export class StateFile {
  readonly #file: string
  readonly #failed: (message: string) => void
  readonly #rules = new Map<Family, RuleSet>()
  #sets: string
  #accounting: string
  /** Lists the sets as they are now, once there is somebody to ask. */
  #listSets: (() => Promise<string>) | undefined
  #setsChanged = false
  #changed = false
  #timer: NodeJS.Timeout | undefined

  /**
   * @param before what the file holds
   * @param failed is told when it cannot be written
   */
  constructor(file: string, before: State, failed: (message: string) => void) {
    this.#file = file
    this.#sets = before.ipset?.text.trimStart() ?? ''
    this.#accounting = before.nfacct?.text.trimStart() ?? ''
    this.#failed = failed
  }

  /** What was saved; undefined where there is no file yet. Throws ERR_STATE_FILE where it cannot be read. */
  static read(file: string): State | undefined {
    if (!existsSync(file)) return undefined
    try {
      return sectionsOf(readFileSync(file, 'utf8'), file)
    } catch (cause) {
      throw new TunfilterError('ERR_STATE_FILE', `${file}: ${(cause as Error).message}`, { cause })
    }
  }

  /** Rules to begin with: they are written together with the first change. */
  hold(ruleSet: RuleSet): void {
    this.#rules.set(ruleSet.family, ruleSet)
  }

  save(ruleSet: RuleSet): void {
    this.hold(ruleSet)
    this.#soon(COLLECT)
  }

  /** Sets have changed. @param list lists all of them */
  saveSets(list: () => Promise<string>): void {
    this.#listSets = list
    this.#setsChanged = true
    this.#soon(COLLECT)
  }

  /** @param list all accounting objects, as `nfacct list` prints them */
  saveAccounting(list: string): void {
    this.#accounting = list
    this.#soon(COLLECT)
  }

  #soon(wait: number): void {
    this.#changed = true
    this.#timer ??= setTimeout(() => void this.#collect(), wait)
  }

  async #collect(): Promise<void> {
    const begin = performance.now()
    if (this.#setsChanged && this.#listSets !== undefined) {
      this.#setsChanged = false
      try {
        this.#sets = await this.#listSets()
      } catch (error) {
        this.#failed(`the sets are not saved: ${(error as Error).message}`)
      }
    }
    this.flush()
    if (this.#setsChanged) this.#soon(Math.max(COLLECT, REST * (performance.now() - begin)))
  }

  /** Writes at once what waits to be written. @param sets, accounting as they are now, where that is known */
  flush(sets = this.#sets, accounting = this.#accounting): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#changed ||= sets !== this.#sets || accounting !== this.#accounting
    this.#sets = sets
    this.#accounting = accounting
    if (!this.#changed) return
    const beside = `${this.#file}.new`
    try {
      writeFileSync(beside, this.#text(), { mode: 0o600 })
      renameSync(beside, this.#file)
      this.#changed = false
    } catch (error) {
      this.#failed(`the rules are not saved: ${(error as Error).message}`)
    }
  }

  #text(): string {
    const rules = (family: Family) => {
      const ruleSet = this.#rules.get(family)
      return ruleSet === undefined ? '' : save(ruleSet, { whole: true })
    }
    const texts: Record<Section, string> = {
      ipset: this.#sets,
      nfacct: this.#accounting,
      iptables: rules(4),
      ip6tables: rules(6),
    }
    return SECTIONS.filter((section) => texts[section] !== '')
      .map((section) => heading(section) + texts[section])
      .join('')
  }
}

function sectionsOf(text: string, file: string): State {
  const state: Partial<Record<Section, RuleText>> = {}
  let section: Section = 'iptables'
  let from = 0
  const end = (at: number) => {
    const lines = text.slice(0, from).split('\n').length - 1
    if (at > from) state[section] = { file, text: '\n'.repeat(lines) + text.slice(from, at) }
  }
  const headings = /^# tunfilter state: (\w+)\n/gm
  for (let found = headings.exec(text); found !== null; found = headings.exec(text)) {
    end(found.index)
    section = SECTIONS.find((each) => each === found?.[1]) ?? 'iptables'
    from = headings.lastIndex
  }
  end(text.length)
  return state
}
