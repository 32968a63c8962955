// What iptables-restore --verbose prints of the commands in a file: rules as `iptables -v -A` prints them, and what is done to
// whole chains.

import type { Family } from '../rule/model.ts'
import type { Command } from './command.ts'
import type { Draft } from './draft.ts'
import { echo } from './list.ts'
import { inSavedOrder } from './save.ts'

/** @param draft the table before the command */
export function toldOf(command: Command, draft: Draft, family: Family): string {
  if ('rules' in command) return command.rules.map((rule) => echo(rule, family)).join('')
  if (command.kind === 'flush') return lines('Flushing', command.chain, draft, true)
  if (command.kind === 'zero') return lines('Zeroing', command.chain, draft, true)
  if (command.kind === 'delete-chain') return lines('Deleting', command.chain, draft, false)
  return ''
}

/** A table that is emptied when its part of the file begins. */
export function toldOfClearing(draft: Draft): string {
  return lines('Flushing', undefined, draft, true) + lines('Deleting', undefined, draft, false)
}

function lines(doing: string, chain: string | undefined, draft: Draft, builtin: boolean): string {
  const chains = inSavedOrder(draft.toTable()).filter(({ policy }) => builtin || policy === undefined)
  const names = chain === undefined ? chains.map(({ name }) => name) : [chain]
  return names.map((name) => `${doing} chain \`${name}'\n`).join('')
}
