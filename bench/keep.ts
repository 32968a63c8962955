// Keeps what was measured: JSON for programs, plots, and tables in README.md for people. Quick runs are kept apart from all
// three. A part that measured nothing leaves what was there.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { plotFile } from '../src/cost/plot.ts'
import { say } from './figure.ts'
import type { Part } from './part.ts'
import { PARTS } from './parts.ts'
import { type Recorded, table } from './report.ts'

/** @param into the folder with README.md; results/ and plots/ are made in it */
export function keep(recorded: Recorded, part: Part, into: string): void {
  if (recorded.figures.length === 0 && recorded.targets.length === 0) {
    say(`${part.name}: nothing was measured, nothing is written`)
    return
  }
  const quick = recorded.quick ? '.quick' : ''
  const name = `results/${part.name}${quick}.json`
  write(into, name, `${JSON.stringify(recorded, null, 2)}\n`)
  const written = [name]
  for (const { name: plot, plot: of } of part.plots?.(recorded.figures) ?? []) {
    if (of.lines.every(({ points }) => points.length === 0)) continue
    written.push(`plots/${plot}${quick}.svg`)
    write(into, `plots/${plot}${quick}.svg`, plotFile(of))
  }
  if (!recorded.quick) {
    fill(into, part.name, table(recorded))
    written.push('README.md')
  }
  say(`${part.name}: wrote ${written.join(', ')}`)
}

export function keepGoals(text: string, into: string): void {
  fill(into, 'goals', text)
}

/** What earlier runs recorded. */
export function recordedIn(into: string): Recorded[] {
  const folder = join(into, 'results')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => PARTS.some(({ name }) => file === `${name}.json`))
    .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Recorded)
}

function write(into: string, name: string, text: string): void {
  const file = join(into, name)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, text)
}

/** Writes a text between its marks in README.md; a README.md that has none gets them. */
function fill(into: string, name: string, text: string): void {
  const file = join(into, 'README.md')
  const old = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`]
  const [from, to] = [old.indexOf(begin), old.indexOf(end)]
  if (from >= 0 && to > from)
    write(into, 'README.md', `${old.slice(0, from + begin.length)}\n${text}\n${old.slice(to)}`)
  else write(into, 'README.md', `${old}\n${begin}\n${text}\n${end}\n`)
}
