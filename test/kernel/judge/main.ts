// `npm run test:kernel -- --cases N --seed S --family F`: N generated cases through the kernel and the engine. Prints each disagreement as
// the smallest case that shows it, and at the end how many packets of which kind were compared, and which matches and targets the rules had.
// Exit status 1 when the two disagreed.

import { parseArgs } from 'node:util'
import { differenceText } from '../compare.ts'
import { runCapture } from './capture.ts'
import { type Case, caseOf, caseText } from './case.ts'
import { Endless, Judge, KernelRefuses, type Outcome } from './judge.ts'
import { familiesOf, isFamilies } from './network.ts'
import { rulesText } from './rules.ts'
import { shrink } from './shrink.ts'

/** Milliseconds without a packet after which the kernel has said all. */
const CAPTURE_SILENCE = 2

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    family: { type: 'string', default: 'both' },
    /** How many disagreements are looked into. */
    most: { type: 'string', default: '5' },
    /** A capture instead of generated cases. */
    capture: { type: 'string' },
    config: { type: 'string' },
    rules: { type: 'string' },
    rules6: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(`Usage: npm run test:kernel -- [--cases N] [--seed S] [--family 4|6|both] [--most M]
       npm run test:kernel -- --capture FILE --config FILE [--rules FILE] [--rules6 FILE]
  Runs N generated cases, the first with seed S, through the kernel and the engine, and compares every packet, the counters, the
  sets, the flows and the log. With both families some networks have IPv4, some IPv6, and some both. Stops after M
  disagreements. As root, with Debian's iptables, ipset and conntrack.
  With --capture the packets of a capture are what comes in (interfaces are devices by name, unnamed ones the first), until the
  two disagree about one.`)
  process.exit(0)
}
if (values.capture !== undefined) {
  if (values.config === undefined) {
    console.error('test:kernel: --capture needs --config, the file that tunfilter replay takes')
    process.exit(2)
  }
  const { capture, config, rules, rules6 } = values
  const { packets, passedOver, differences } = await runCapture(
    { capture, config, ...(rules && { rules }), ...(rules6 && { rules6 }) },
    CAPTURE_SILENCE,
  )
  console.log(
    `${packets} packets of ${capture}, ${passedOver} passed over: ${differences.length === 0 ? 'no disagreement' : `disagreed\n${differenceText(differences)}`}`,
  )
  process.exit(differences.length === 0 ? 0 : 1)
}
const [cases, seed, most] = [Number(values.cases), Number(values.seed), Number(values.most)]
if (!isFamilies(values.family) || ![cases, seed, most].every(Number.isSafeInteger)) {
  console.error('test:kernel: --cases, --seed and --most are numbers, --family is 4, 6 or both')
  process.exit(2)
}
const families = familiesOf(values.family)

/** How often each was there. */
class Count {
  readonly #counts = new Map<string, number>()

  add(name: string, n = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + n)
  }

  toString(): string {
    return [...this.#counts]
      .sort(([, a], [, b]) => b - a)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ')
  }
}

const judge = new Judge(0)
// What the kernel was only slow about is none.
const patient = new Judge(20)
const [kinds, matches, targets] = [new Count(), new Count(), new Count()]
let packets = 0
let run = 0
let slow = 0
const disagreed: number[] = []
/** Cases that were left off where the kernel's packets went round without end. */
const endless: number[] = []
const progress = (text: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

function count({ rules }: Case, outcome: Outcome): void {
  packets += outcome.packets
  for (const [kind, n] of outcome.kinds) kinds.add(kind, n)
  for (const { rules: set, family } of rules)
    for (const [, letter, name] of rulesText(set).matchAll(/ -([mj]) ([A-Za-z]\w*)/g))
      if (letter === 'm' || /^[A-Z]/.test(name!)) (letter === 'm' ? matches : targets).add(`${name}/${family}`)
}

async function tryCase(one: Case): Promise<void> {
  const outcome = await judge.run(one)
  count(one, outcome)
  if (outcome.differences.length === 0) return
  if ((await patient.run(one)).differences.length === 0) {
    slow++
    return
  }
  disagreed.push(one.seed)
  const small = await shrink(judge, one, false, (tries) => progress(`case ${one.seed}: made smaller, try ${tries}`))
  const again = await judge.run(small)
  progress('')
  const { lines, differences } = again.differences.length > 0 ? again : outcome
  console.log(`${caseText(small)}\n${lines().join('\n')}\n${differenceText(differences)}\n`)
}

for (; run < cases && disagreed.length < most; run++) {
  const one = caseOf(seed + run, families)
  progress(`case ${run + 1} of ${cases}, ${packets} packets`)
  if (run % 500 === 499 && !process.stderr.isTTY)
    console.error(`${run + 1} cases, ${packets} packets, ${disagreed.length} disagreed`)
  try {
    await tryCase(one)
  } catch (error) {
    if (error instanceof Endless) {
      endless.push(one.seed)
      continue
    }
    disagreed.push(one.seed)
    await judge.close()
    await patient.close()
    const refused = error instanceof KernelRefuses
    const small = refused ? await shrink(judge, one, true) : one
    progress('')
    console.log(`${caseText(small)}\n${refused ? 'the kernel refuses this: ' : ''}${(error as Error).message}\n`)
  }
}
await judge.close()
await patient.close()
progress('')
console.log(`${run} cases from seed ${seed}, --family ${families}: ${packets} packets (${kinds})
matches: ${matches}
targets: ${targets}
${endless.length > 0 ? `left off where the kernel's packets go round without end: ${endless.join(', ')}\n` : ''}${slow > 0 ? `${slow} cases agreed only when the kernel was given more time\n` : ''}${disagreed.length === 0 ? 'no disagreement' : `disagreed in ${disagreed.join(', ')}`}`)
process.exitCode = disagreed.length > 0 ? 1 : 0
