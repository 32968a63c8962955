// Makes a case as small as it can be: steps, then rules, then flows are left out as long as the two still disagree.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Case, FamilyRules } from './case.ts'
import { type Judge, KernelRefuses } from './judge.ts'

const TRIES_MAX = 500

/**
 * The smallest case of its kind that the two still disagree about.
 * @param refused the disagreement is that the kernel does not take the rules
 */
export async function shrink(
  judge: Judge,
  one: Case,
  refused: boolean,
  progress: (tries: number) => void = () => {},
): Promise<Case> {
  let small = refused ? { ...one, traffic: { flows: [], steps: [] } } : one
  let tries = 0
  const attempt = async (candidate: Case) => {
    if (tries >= TRIES_MAX) return false
    progress(++tries)
    try {
      const { differences, steps } = await judge.run(candidate)
      if (refused || differences.length === 0) return false
      // What would have come behind what they disagree about says nothing.
      const played = candidate.traffic.steps.slice(0, steps)
      small = { ...candidate, traffic: { ...candidate.traffic, steps: played } }
      return true
    } catch (error) {
      if (!refused || !(error instanceof KernelRefuses)) return false
      small = candidate
      return true
    }
  }
  await attempt(small)
  for (let again = true; again && tries < TRIES_MAX; ) {
    again = false
    for (let size = Math.ceil(small.traffic.steps.length / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0)
      for (let at = small.traffic.steps.length - size; at > -size; at -= size) {
        const steps = small.traffic.steps.toSpliced(Math.max(0, at), size)
        if (steps.length === small.traffic.steps.length) continue
        if (await attempt({ ...small, traffic: { ...small.traffic, steps } })) again = true
      }
    for (const f of small.rules.keys())
      for (const t of small.rules[f]!.rules.tables.keys()) {
        const count = () => small.rules[f]!.rules.tables[t]![1].length
        for (let size = count(); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0)
          for (let line = count() - size; line > -size; line -= size)
            if (await attempt({ ...small, rules: without(small.rules, f, t, Math.max(0, line), size) })) again = true
      }
    await sleep(0)
  }
  return small
}

function without(all: readonly FamilyRules[], f: number, table: number, line: number, size: number): FamilyRules[] {
  return all.map((each, i) => {
    if (i !== f) return each
    const tables = each.rules.tables.map(
      ([name, lines], t) => [name, t === table ? lines.toSpliced(line, size) : lines] as const,
    )
    return { ...each, rules: { tables } }
  })
}
