// nfacct on the control socket. Accounting objects live in the data plane, where packets count into them; a command is done there in one
// go. This side knows their names, which rules are judged by.

import { ACCOUNTING } from '../nfacct/accounts.ts'
import type { NfacctResult } from '../nfacct/command.ts'
import type { SharedUse } from '../rule/shared-names.ts'
import type { ControlProgram, Conversation } from './program.ts'

export interface NfacctAnswer extends NfacctResult {
  /** All objects there are now, as `nfacct list` prints them. */
  readonly list: string
}

export interface NfacctPlane {
  nfacct(words: readonly string[], input: string): Promise<NfacctAnswer>
}

export class NfacctProgram implements ControlProgram {
  readonly names = 'nfacct'
  readonly #plane: NfacctPlane
  readonly #changed: (list: string) => void
  #names: ReadonlySet<string>

  /**
   * @param list objects to begin with, as `nfacct list` prints them
   * @param changed is called after a command that may have changed objects, before its answer
   */
  constructor(list: string, plane: NfacctPlane, changed: (list: string) => void) {
    this.#plane = plane
    this.#changed = changed
    this.#names = namesIn(list)
  }

  isCalled(name: string): boolean {
    return name === 'nfacct'
  }

  /** Whether there is the object that a rule names. */
  readonly isThere = ({ kind, name }: SharedUse): boolean | undefined =>
    kind === ACCOUNTING ? this.#names.has(name) : undefined

  async run(_name: string, args: readonly string[], client: Conversation): Promise<number> {
    const input = args[0] === 'restore' ? await client.readInput() : ''
    const { status, stdout, stderr, list } = await this.#plane.nfacct(args, input)
    this.#names = namesIn(list)
    if (args[0] !== 'list' && args[0] !== 'get') this.#changed(list)
    client.print(stdout)
    client.printError(stderr)
    return status
  }
}

/** Names of objects, in what `nfacct list` prints. */
export function namesIn(list: string): ReadonlySet<string> {
  return new Set([...list.matchAll(/ \} = (.*);$/gm)].map(([, name]) => name))
}
