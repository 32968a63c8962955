// iptables' own options, short and long, and the search for a long option by name or by the beginning of a name. The
// search is getopt_long's over the tables in the order in which iptables joins them: its own options, then those of the
// match or target that was named last, then earlier ones. An exact name wins; a beginning counts if all that it could be
// mean the same.

import { type Extension, namesOf } from './extension.ts'

/** How many words follow: 'may' is one that does not begin with - or !. */
export type Arity = 'none' | 'one' | 'may'

export interface Global {
  /** The short option, which iptables itself says in messages. */
  readonly letter: string
  readonly names: readonly string[]
  readonly arity: Arity
  /** A command, something of the rule, or something else. */
  readonly sort: 'command' | 'rule' | 'other'
}

const of = (letter: string, names: string, arity: Arity, sort: Global['sort']): Global => ({
  letter,
  names: names.split(' '),
  arity,
  sort,
})

export const GLOBALS: readonly Global[] = [
  of('A', 'append', 'one', 'command'),
  of('D', 'delete', 'one', 'command'),
  of('C', 'check', 'one', 'command'),
  of('I', 'insert', 'one', 'command'),
  of('R', 'replace', 'one', 'command'),
  of('L', 'list', 'may', 'command'),
  of('S', 'list-rules', 'may', 'command'),
  of('F', 'flush', 'may', 'command'),
  of('Z', 'zero', 'may', 'command'),
  of('N', 'new-chain', 'one', 'command'),
  of('X', 'delete-chain', 'may', 'command'),
  of('E', 'rename-chain', 'one', 'command'),
  of('P', 'policy', 'one', 'command'),
  of('s', 'source src', 'one', 'rule'),
  of('d', 'destination dst', 'one', 'rule'),
  of('p', 'protocol', 'one', 'rule'),
  of('i', 'in-interface', 'one', 'rule'),
  of('o', 'out-interface', 'one', 'rule'),
  of('f', 'fragments', 'none', 'rule'),
  of('m', 'match', 'one', 'rule'),
  of('j', 'jump', 'one', 'rule'),
  of('g', 'goto', 'one', 'rule'),
  of('c', 'set-counters', 'one', 'rule'),
  of('4', 'ipv4', 'none', 'other'),
  of('6', 'ipv6', 'none', 'other'),
  of('v', 'verbose', 'none', 'other'),
  of('n', 'numeric', 'none', 'other'),
  of('x', 'exact', 'none', 'other'),
  of('0', 'line-numbers', 'none', 'other'),
  of('t', 'table', 'one', 'other'),
  of('w', 'wait', 'may', 'other'),
  of('W', 'wait-interval', 'may', 'other'),
  of('M', 'modprobe', 'one', 'other'),
  of('V', 'version', 'none', 'other'),
  of('h', 'help', 'may', 'other'),
]

const byLetter = new Map(GLOBALS.filter((g) => g.letter !== '0').map((g) => [g.letter, g]))
const byName = new Map(GLOBALS.flatMap((g) => g.names.map((name) => [name, g] as const)))

export function globalByLetter(letter: string): Global | undefined {
  return byLetter.get(letter)
}

export const GLOBAL_NAMES: readonly string[] = [...byName.keys()]

export type Found =
  | { readonly kind: 'global'; readonly option: Global }
  | { readonly kind: 'extension'; readonly owner: Extension; readonly key: string }
  | { readonly kind: 'ambiguous'; readonly names: readonly string[] }
  | { readonly kind: 'none' }

const NONE: Found = { kind: 'none' }

/** @param extensions of the rule so far, in the order in which they were named */
export function findLong(name: string, extensions: readonly Extension[]): Found {
  const exact = byName.get(name)
  if (exact !== undefined) return { kind: 'global', option: exact }
  for (let i = extensions.length - 1; i >= 0; i--) {
    const owner = extensions[i]
    const key = namesOf(owner.declaration).get(name)
    if (key !== undefined) return { kind: 'extension', owner, key }
  }
  let found: Found = NONE
  const names: string[] = []
  let same = true
  for (const [each, option] of byName) {
    if (!each.startsWith(name)) continue
    names.push(each)
    if (found.kind === 'none') found = { kind: 'global', option }
    else if (found.kind !== 'global' || found.option !== option) same = false
  }
  for (let i = extensions.length - 1; i >= 0; i--) {
    const owner = extensions[i]
    for (const [each, key] of namesOf(owner.declaration)) {
      if (!each.startsWith(name)) continue
      names.push(each)
      if (found.kind === 'none') found = { kind: 'extension', owner, key }
      else if (found.kind !== 'extension' || found.owner !== owner || found.key !== key) same = false
    }
  }
  return same ? found : { kind: 'ambiguous', names }
}
