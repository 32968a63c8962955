// What iptables-nft says where the legacy tool says something else, as programs read it: another exit status, or other words.

import { banner, Failure, type Program } from './program.ts'

const OPERATIONS: Readonly<Record<string, string>> = { A: 'RULE_APPEND', I: 'RULE_INSERT', R: 'RULE_REPLACE' }

const BUSY = 'CHAIN_DEL failed (Device or resource busy)'

export const isNft = ({ variant }: Program) => variant === 'nf_tables'

/** The kernel does not take a rule. @param reason its errno in words: `Too many links`, `Invalid argument` */
export function ruleFailed(program: Program, kind: string, chain: string, reason: string): Failure {
  return new Failure(4, `${banner(program)}:  ${OPERATIONS[kind] ?? kind} failed (${reason}): rule in chain ${chain}\n`)
}

/** A chain that is jumped to, or is not empty, is to go. */
export function chainBusy(program: Program, chain: string): Failure {
  return new Failure(4, `${banner(program)}:  ${BUSY}: chain ${chain}\n`)
}

/** A chain is to be listed that is not there. */
export function noChainToList(program: Program, table: string, chain: string): Failure {
  return new Failure(1, `${banner(program)}: chain \`${chain}' in table \`${table}' is incompatible, use 'nft' tool.\n`)
}

/**
 * A line of a rule file cannot be done.
 * @param errno the kernel's, where it is that which would not take it
 */
export function lineFailed(
  program: Program,
  text: string,
  line: number,
  errno: string | undefined,
  messages: readonly string[],
): Failure {
  const said = messages.map((message) => `${program.name}: ${message}\n`).join('')
  const [, letter, chain] = /(?:^|\s)-([AIRX])\s*(\S+)/.exec(text) ?? []
  if (errno === undefined || letter === undefined)
    return new Failure(1, `${program.name}: line ${line} failed\n${said}`)
  const failed =
    letter === 'X' ? `${BUSY}: chain ${chain}` : `${OPERATIONS[letter]} failed (${errno}): rule in chain ${chain}`
  return new Failure(4, `${banner(program)}: \nline ${line}: ${failed}\n\n${said}`)
}

/** A message about the words of a command, in this tool's. */
export function inWordsOf(program: Program, message: string): string {
  const found = isNft(program) ? /^Couldn't load target `(.*)':No such file/.exec(message) : null
  return found === null ? message : `Chain '${found[1]}' does not exist`
}
