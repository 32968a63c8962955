// What the words of a line are read against: which names there are, and what besides the line is said of it.

import type { Family, TableName } from '../rule/model.ts'
import type { ExtensionDeclaration } from './extension.ts'
import type { Global } from './global.ts'
import type { Word } from './lexer.ts'
import type { Registry } from './registry.ts'

export interface ReadContext {
  readonly registry: Registry
  readonly family: Family
  readonly table: TableName
  /** Are counters taken (`iptables-restore --counters`)? */
  readonly counters: boolean
  /** Chains of the table as it is now. */
  hasChain(name: string): boolean
  chainNames(): Iterable<string>
  /** Takes what is strange, but not wrong. */
  warn?(message: string): void
  /** Is told of each match and target that is named, or brought in by the protocol. */
  extension?(declaration: ExtensionDeclaration): void
  /** On a command line: takes an option that no rule file has (-t, -n, -w, ...); what is wrong with it, if something is. */
  other?(option: Global, value: Word | undefined): string | undefined
}
