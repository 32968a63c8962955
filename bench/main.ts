// `npm run bench`: runs the parts one after the other, keeps what each measured as soon as it is there (keep.ts), and in the
// end says which of the project's goals hold. What fails in one part leaves the others alone. Exit status 1 when a part
// failed or what the project promises did not hold.

import { parseArgs } from 'node:util'
import { inlineMore } from '../src/gateway/inlining.ts'
import { type Result, say } from './figure.ts'
import { goalsOf, goalsTable } from './goals.ts'
import { keep, keepGoals, recordedIn } from './keep.ts'
import { type Machine, machine } from './machine.ts'
import { Measuring, measureHere } from './measuring.ts'
import type { Options, Part } from './part.ts'
import { PARTS } from './parts.ts'
import { type Recorded, table } from './report.ts'
import { ROOT } from './root.ts'

/** Runs one part: its tasks are made ready one after the other, then take turns. */
async function runPart(part: Part, options: Options, on: Machine): Promise<Recorded> {
  const results: Result[] = []
  const failed: string[] = []
  const skipped: string[] = []
  const begun = performance.now()
  const attempt = async (work: () => Promise<void>): Promise<boolean> => {
    try {
      await work()
      return true
    } catch (error) {
      failed.push((error as Error).message)
      say((error as Error).message)
      return false
    }
  }
  let taking: Measuring[] = []
  try {
    for (const task of part.tasks(options)) {
      const one = new Measuring(import.meta.filename, part, task, options)
      taking.push(one)
      const ready = await attempt(() => one.begin())
      if (ready && one.result === undefined) continue
      if (one.result !== undefined) results.push(one.result)
      taking = taking.filter((other) => other !== one)
      await one.close()
    }
    const rounds = Math.max(...taking.map((one) => one.rounds ?? 0), 0)
    for (let round = 0; round < rounds; round++) {
      say(`${part.name}: round ${round + 1} of ${rounds}, ${taking.length} in turn`)
      for (const one of taking.filter((each) => round < (each.rounds ?? 0)))
        if (!(await attempt(() => one.round()))) {
          taking = taking.filter((other) => other !== one)
          await one.close()
        }
    }
    for (const one of taking) await attempt(async () => void results.push(await one.finish()))
  } finally {
    for (const one of taking) await one.close()
  }
  const figures = results.flatMap((result) => result.figures)
  skipped.push(...results.flatMap((result) => result.skipped))
  return {
    part: part.name,
    quick: options.quick,
    taken: new Date().toISOString(),
    seconds: Math.round((performance.now() - begun) / 1000),
    machine: on,
    figures,
    targets: [...(part.targets?.(figures) ?? []), ...results.flatMap(({ targets }) => targets)],
    skipped,
    failed,
  }
}

interface Asked {
  readonly parts: readonly Part[]
  readonly options: Options
  readonly into: string
  /** Everything was asked for. */
  readonly whole: boolean
}

async function run({ parts, options, into, whole }: Asked): Promise<boolean> {
  const on = machine()
  const begun = performance.now()
  const elapsed = () => `${Math.round((performance.now() - begun) / 1000)} s`
  let held = true
  const notRun: string[] = []
  const now: Recorded[] = []
  for (const [i, part] of parts.entries()) {
    say(`\n${part.name}: part ${i + 1} of ${parts.length}, after ${elapsed()}`)
    try {
      const recorded = await runPart(part, options, on)
      now.push(recorded)
      process.stdout.write(`\n## ${part.name}\n\n${table(recorded)}\n\n`)
      notRun.push(...[...recorded.skipped, ...recorded.failed].map((why) => `${part.name}: ${why}`))
      held &&= recorded.failed.length === 0 && recorded.targets.every((target) => target.held)
      keep(recorded, part, into)
    } catch (error) {
      held = false
      notRun.push(`${part.name}: ${(error as Error).message}`)
      say(error instanceof Error ? (error.stack ?? error.message) : String(error))
    }
  }
  // Of parts that were not run now, what was recorded before.
  const before = options.quick || whole ? [] : recordedIn(into)
  const goals = goalsOf([...now, ...before.filter(({ part }) => now.every((other) => other.part !== part))])
  // Whoever asks for one part is told of that part's goals.
  const shown = whole ? goals : goalsOf(now).filter(({ measured }) => measured)
  const summary = `${goalsTable(shown)}\n\n${notRun.length === 0 ? 'Everything was run.' : `Not run:\n\n${notRun.map((line) => `- ${line}`).join('\n')}`}`
  if (shown.length > 0) process.stdout.write(`\n## The goals\n\n${summary}\n`)
  if (!options.quick) keepGoals(whole ? summary : goalsTable(goals), into)
  say(`bench: done after ${elapsed()}`)
  return held && shown.every((goal) => goal.held !== false)
}

function partsOf(names: readonly string[]): readonly Part[] {
  for (const name of names)
    if (!PARTS.some((part) => part.name === name))
      throw new Error(`bench: there is no part '${name}'; expected ${PARTS.map((part) => part.name).join(', ')}`)
  return names.length === 0 ? PARTS : PARTS.filter(({ name }) => names.includes(name))
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      minutes: { type: 'string' },
      into: { type: 'string', default: `${ROOT}bench` },
      task: { type: 'string' },
    },
  })
  if (values.task !== undefined) {
    const { part: name, task, options } = JSON.parse(values.task) as { part: string; task: unknown; options: Options }
    const part = PARTS.find((each) => each.name === name)
    if (part === undefined) throw new Error(`bench: there is no part '${name}'`)
    // As the gateway's worker does.
    inlineMore()
    await measureHere(part, task, options)
    return
  }
  const whole = positionals.length === 0
  // Ten minutes of soaking are for who asks for them; a run of everything soaks for a while.
  const minutes = values.minutes === undefined ? (whole ? 0.6 : 10) : Number(values.minutes)
  if (!(minutes > 0 && minutes <= 24 * 60))
    throw new Error(`bench: --minutes ${values.minutes}: expected minutes above 0`)
  const options = { quick: values.quick, minutes: values.quick ? Math.min(minutes, 0.15) : minutes }
  const parts = partsOf(positionals)
  if (await run({ parts, options, into: values.into, whole })) return
  say('bench: not everything that is promised held')
  process.exitCode = 1
}

main().catch((error: unknown) => {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.exitCode = 1
})
