// What a chain consists of after a change: entries that it had, by their places, and new ones.

import type { Entry } from './entry.ts'

export type Range = readonly [from: number, to: number]
export type Part = Range | NewEntries

export class NewEntries {
  readonly entries: Entry[] = []
}

/** So many new entries are put in at once. */
const FEW = 2048

/** The entries of a chain. Most changes put some in or take some out at one place: that is one copy of the array. */
export function assembled(old: readonly Entry[], parts: readonly Part[]): readonly Entry[] {
  let at = 0
  const isKept = (part: Part | undefined): part is Range => part !== undefined && !(part instanceof NewEntries)
  const [first] = parts
  // A copy has no room to grow.
  if (parts.length === 1 && first instanceof NewEntries) return first.entries.slice()
  let before = 0
  if (isKept(first) && first[0] === 0) {
    before = first[1]
    at++
  }
  let added: readonly Entry[] = []
  const second = parts[at]
  if (second instanceof NewEntries) {
    added = second.entries
    at++
  }
  let behind = old.length
  const third = parts[at]
  if (isKept(third) && third[1] === old.length) {
    behind = third[0]
    at++
  }
  if (at === parts.length && before <= behind && added.length <= FEW)
    return old.toSpliced(before, behind - before, ...added)
  const entries: Entry[] = []
  for (const part of parts) {
    if (part instanceof NewEntries) for (const entry of part.entries) entries.push(entry)
    else for (let i = part[0]; i < part[1]; i++) entries.push(old[i])
  }
  return entries.slice()
}
