// `npm run bench`: runs the parts, each in a process of its own so that none disturbs another's heap, compiled code or
// memory; writes one JSON file a part and the tables of README.md. Exit status 1 when a part failed or what the project
// promises did not hold.

import { fork } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Result, say } from './figure.ts'
import { type Machine, machine } from './machine.ts'
import { PARTS, type Part, type Recorded, table } from './report.ts'
import { ROOT } from './root.ts'
import type { RulesPath } from './rules/path.ts'
import { rulesTargets } from './rules/targets.ts'

/** What one process measures. */
interface Task {
  readonly part: Part
  readonly quick: boolean
  readonly flows?: number
  readonly hugePages?: boolean
  readonly rules?: Omit<RulesPath, 'quick'> | 'change' | 'load'
  readonly family?: 4 | 6
}

const MEMORY: readonly Omit<Task, 'part' | 'quick'>[] = [
  { flows: 1 },
  { flows: 10_000 },
  { flows: 1_000_000 },
  { flows: 1_000_000, hugePages: true },
  { flows: 10_000, family: 6 },
  { flows: 1_000_000, family: 6 },
]

const RULES: readonly NonNullable<Task['rules']>[] = [
  { where: 'no other rules', rules: 0 },
  { where: '100 rules', rules: 100 },
  { where: '10,000 rules', rules: 10_000 },
  { where: '100,000 rules', rules: 100_000 },
  { where: 'kube-proxy, 10,000 services', rules: 0, services: 10_000 },
  { where: '100 rules', rules: 100, interpreted: true },
  { where: '10,000 rules', rules: 10_000, interpreted: true },
  'change',
  'load',
]

function tasksOf(part: Part, quick: boolean): Task[] {
  if (part === 'rules') return RULES.map((rules) => ({ part, quick, rules }))
  return part === 'memory' ? MEMORY.map((task) => ({ part, quick, ...task })) : [{ part, quick }]
}

async function measure({ part, quick, flows = 1, hugePages = false, family, rules = 'load' }: Task): Promise<Result> {
  switch (part) {
    case 'micro':
      return (await import('./micro/micro.ts')).micro(quick)
    case 'memory':
      return (await import('./path/memory.ts')).memory({ flows, hugePages, family, quick })
    case 'rules':
      if (rules === 'change') return (await import('./rules/change.ts')).rulesChange(quick)
      if (rules === 'load') return (await import('./rules/load.ts')).rulesLoad(quick)
      return (await import('./rules/path.ts')).rulesPath({ ...rules, quick })
    case 'tun':
      return (await import('./path/tun.ts')).tun(quick)
    case 'sets':
      return (await import('./sets/sets.ts')).sets(quick)
    case 'control':
      return (await import('./control/commands.ts')).control(quick)
  }
}

/** Measures in a process of its own; whatever that prints goes to standard error. */
function measureApart(task: Task): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, ['--task', JSON.stringify(task)], {
      // The worker that handles packets has so small a young generation (gateway/up.ts).
      execArgv: ['--expose-gc', ...(task.rules === 'change' ? ['--max-semi-space-size=2'] : [])],
      stdio: ['ignore', 2, 2, 'ipc'],
    })
    let result: Result | undefined
    child.on('message', (message: Result) => {
      result = message
    })
    child.on('error', reject)
    child.on('exit', (status, signal) => {
      if (result !== undefined && status === 0) resolve(result)
      else reject(new Error(`${task.part}: the measuring process ended with ${signal ?? `status ${status}`}`))
    })
  })
}

async function runPart(part: Part, quick: boolean, on: Machine): Promise<Recorded> {
  const results: Result[] = []
  const failed: string[] = []
  for (const task of tasksOf(part, quick)) {
    try {
      results.push(await measureApart(task))
    } catch (error) {
      failed.push((error as Error).message)
      say((error as Error).message)
    }
  }
  const figures = results.flatMap((result) => result.figures)
  return {
    part,
    quick,
    taken: new Date().toISOString(),
    machine: on,
    figures,
    targets: [...(part === 'rules' ? rulesTargets(figures) : []), ...results.flatMap(({ targets }) => targets)],
    skipped: results.flatMap(({ skipped }) => skipped),
    failed,
  }
}

/** Keeps what was measured: JSON for programs, a table in the README for people. Quick runs are kept apart from both. */
function keep(recorded: Recorded): void {
  const directory = `${ROOT}bench/results`
  mkdirSync(directory, { recursive: true })
  const name = `${recorded.part}${recorded.quick ? '.quick' : ''}.json`
  writeFileSync(`${directory}/${name}`, `${JSON.stringify(recorded, null, 2)}\n`)
  say(`wrote bench/results/${name}`)
  if (recorded.quick) return
  const file = `${ROOT}bench/README.md`
  const begin = `<!-- ${recorded.part}: begin -->`
  const end = `<!-- ${recorded.part}: end -->`
  const text = readFileSync(file, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`bench/README.md: there is no ${begin} ... ${end}`)
  writeFileSync(file, `${text.slice(0, from + begin.length)}\n${table(recorded)}\n${text.slice(to)}`)
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false }, task: { type: 'string' } },
  })
  if (values.task !== undefined) {
    // Whoever wants the result is gone: end as on a signal, which leaves nothing behind.
    process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
    const result = await measure(JSON.parse(values.task) as Task)
    process.removeAllListeners('disconnect')
    process.send!(result, () => process.disconnect())
    return
  }
  const parts = positionals.length === 0 ? PARTS : positionals
  for (const part of parts)
    if (!(PARTS as readonly string[]).includes(part))
      throw new Error(`bench: there is no part '${part}'; expected ${PARTS.join(', ')}`)
  const on = machine()
  let held = true
  for (const part of parts as readonly Part[]) {
    const recorded = await runPart(part, values.quick, on)
    keep(recorded)
    process.stdout.write(`\n${table(recorded)}\n\n`)
    held &&= recorded.failed.length === 0 && recorded.targets.every((target) => target.held)
  }
  if (!held) {
    say('bench: not everything that is promised held')
    process.exitCode = 1
  }
}

main().catch((error: unknown) => {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.exitCode = 1
})
