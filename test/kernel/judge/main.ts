// `npm run test:kernel -- --cases N --seed S`: N generated cases through the kernel and the engine. Prints each disagreement as the
// smallest case that shows it, and at the end how many packets of which kind were compared. Exit status 1 when the two disagreed.

import { parseArgs } from 'node:util'
import { differenceText } from '../compare.ts'
import { caseOf, caseText, Judge } from './case.ts'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    /** How many disagreements are looked into. */
    most: { type: 'string', default: '5' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(`Usage: npm run test:kernel -- [--cases N] [--seed S] [--most M]
  Runs N generated cases, the first with seed S, through the kernel and the engine, and compares every packet, the counters, the
  flows and the log. Stops after M disagreements. As root, with Debian's iptables and conntrack.`)
  process.exit(0)
}
const [cases, seed, most] = [Number(values.cases), Number(values.seed), Number(values.most)]
const judge = new Judge()
const kinds = new Map<string, number>()
let packets = 0
let run = 0
let refused = 0
const disagreed: number[] = []
const progress = (text: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}
for (; run < cases && disagreed.length < most; run++) {
  const one = caseOf(seed + run)
  progress(`case ${run + 1} of ${cases}, ${packets} packets`)
  try {
    const outcome = await judge.run(one)
    packets += outcome.packets
    for (const [kind, n] of outcome.kinds) kinds.set(kind, (kinds.get(kind) ?? 0) + n)
    if (outcome.differences.length === 0) continue
    disagreed.push(one.seed)
    const small = await judge.shrink(one, (tries) => progress(`case ${one.seed}: made smaller, try ${tries}`))
    const again = await judge.run(small)
    progress('')
    console.log(
      `${caseText(small)}\n${differenceText(again.differences.length > 0 ? again.differences : outcome.differences)}\n`,
    )
  } catch (error) {
    // What tunfilter says that it cannot do is no disagreement, but it is counted.
    if (/is not enforced yet/.test((error as Error).message)) {
      refused++
      continue
    }
    disagreed.push(one.seed)
    progress('')
    console.log(`${caseText(one)}\n${(error as Error).message}\n`)
    await judge.close()
  }
}
await judge.close()
progress('')
const byKind = [...kinds].sort(([, a], [, b]) => b - a).map(([kind, n]) => `${kind} ${n}`)
console.log(
  `${run} cases${refused > 0 ? ` (${refused} with rules that are refused)` : ''}, ${packets} packets (${byKind.join(', ')}): ${disagreed.length === 0 ? 'no disagreement' : `disagreed in ${disagreed.join(', ')}`}`,
)
process.exitCode = disagreed.length > 0 ? 1 : 0
