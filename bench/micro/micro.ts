// The parts of the path, each alone. Figures of single parts do not add up to the path's: here everything is warm.

import type { Result, Target } from '../figure.ts'
import { say } from '../figure.ts'
import { measure } from './case.ts'
import { interpreterCases } from './interpreter.ts'
import { lookUpCase, nameOf } from './lookup.ts'
import { packetCases } from './packet.ts'

const SIZES = [1, 10_000, 1_000_000]
/** How much slower a look-up among 1,000,000 flows may be than with a single one. */
const SLOWER_AT_MOST = 4

export async function micro(quick: boolean): Promise<Result> {
  const seconds = quick ? 0.2 : 0.8
  say('micro: packets')
  const packets = await measure('packets', packetCases, seconds)
  say('micro: rules')
  const rules = await measure('rules', interpreterCases(), seconds)
  say('micro: flow table (filling it takes a few seconds)')
  const cases = [...SIZES.map((flows) => lookUpCase(flows, false)), lookUpCase(1_000_000, true)]
  const lookUps = await measure('flow table', cases, seconds)
  const one = lookUps[0].value
  const slower = (where: string) => (lookUps.find((figure) => figure.where === where)?.value ?? Number.NaN) / one
  const target = (where: string): Target => ({
    what: `flow look-up, ${where}, against one flow`,
    wanted: `at most ${SLOWER_AT_MOST} times slower`,
    got: `${slower(where).toFixed(1)} times`,
    held: slower(where) <= SLOWER_AT_MOST,
  })
  return {
    figures: [...packets, ...rules, ...lookUps],
    targets: [target(nameOf(1_000_000, true))],
    skipped: [],
  }
}
