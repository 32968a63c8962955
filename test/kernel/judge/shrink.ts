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
  const holds = async (candidate: Case) => {
    progress(++tries)
    try {
      const { differences } = await judge.run(candidate)
      return !refused && differences.length > 0
    } catch (error) {
      return refused && error instanceof KernelRefuses
    }
  }
  const attempt = async (candidate: Case) => {
    if (tries >= TRIES_MAX || !(await holds(candidate))) return false
    small = candidate
    return true
  }
  for (let again = true; again && tries < TRIES_MAX; ) {
    again = false
    for (let size = Math.ceil(small.traffic.steps.length / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0)
      for (let at = small.traffic.steps.length - size; at >= 0; at -= size) {
        const steps = small.traffic.steps.toSpliced(at, size)
        if (await attempt({ ...small, traffic: { ...small.traffic, steps } })) again = true
      }
    for (const f of small.rules.keys())
      for (const [t, [, lines]] of small.rules[f]!.rules.tables.entries())
        for (let line = lines.length - 1; line >= 0; line--)
          if (await attempt({ ...small, rules: without(small.rules, f, t, line) })) again = true
    await sleep(0)
  }
  return small
}

function without(all: readonly FamilyRules[], f: number, table: number, line: number): FamilyRules[] {
  return all.map((each, i) => {
    if (i !== f) return each
    const tables = each.rules.tables.map(
      ([name, lines], t) => [name, t === table ? lines.toSpliced(line, 1) : lines] as const,
    )
    return { ...each, rules: { tables } }
  })
}
