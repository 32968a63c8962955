// Runs a scenario and says, step by step, what was expected and what came, as lines. Where both agree the lines are equal, to
// the letter: packets are compared by all of their bytes, and a place-holder prints as itself once it has matched.

import {
  Bindings,
  decode,
  describePacket,
  encodeAll,
  hexOf,
  type Packet,
  printPacket,
  type Raw,
} from '../packet/index.ts'
import type { Expected, Scenario, Step } from './scenario.ts'
import type { Sent, Subject } from './subject.ts'
import { sameConntrack, tablesOf, textLines } from './text.ts'

export interface StepResult {
  readonly title: string
  readonly expected: string[]
  readonly got: string[]
  /** Set where the subject could not be asked. */
  readonly skipped?: string
}

export async function runScenario(scenario: Scenario, subject: Subject): Promise<StepResult[]> {
  const bindings = new Bindings()
  const results: StepResult[] = []
  await subject.load(scenario.rules, 4)
  // Loading nothing still makes iptables' tables known to the kernel: not where a scenario is about one family only.
  if (scenario.rules6 !== '') await subject.load(scenario.rules6, 6)
  for (const step of scenario.steps) {
    const result = await runStep(step, subject, bindings)
    if (result) results.push({ ...result, title: `${scenario.name}.yaml:${step.line} ${result.title}` })
  }
  return results
}

/** What disagreed, side by side; empty when all is as expected. */
export function disagreements(results: readonly StepResult[]): StepResult[] {
  return results.filter(({ expected, got }) => expected.join('\n') !== got.join('\n'))
}

export function disagreementText(results: readonly StepResult[]): string {
  return disagreements(results)
    .map(({ title, expected, got }) => {
      const rows = Array.from({ length: Math.max(expected.length, got.length) }, (_, i) => {
        const [left, right] = [expected[i], got[i]]
        return left === right ? `    ${left}` : `  expected ${left ?? 'nothing'}\n  got      ${right ?? 'nothing'}`
      })
      return `${title}\n${rows.join('\n')}`
    })
    .join('\n')
}

async function runStep(step: Step, subject: Subject, bindings: Bindings): Promise<StepResult | undefined> {
  switch (step.kind) {
    case 'pause':
      await subject.pause(step.milliseconds)
      return undefined
    case 'ip':
      for (const command of step.commands) await subject.ip(command)
      return undefined
    case 'rules':
      await subject.load(step.text, step.family)
      return undefined
    case 'in': {
      const packets = step.packets.flatMap((packet) => encodeAll(bindings.fill(packet)))
      const title = `in ${step.device}: ${step.packets.map(printPacket).join('; ')}`
      const sent = await subject.exchange(step.device, packets, step.out.length)
      return { title, ...comparePackets(step.out, sent, bindings) }
    }
    case 'counters':
      return {
        title: step.family === 4 ? 'counters' : 'counters6',
        ...compareCounters(step.text, await subject.counters(step.family)),
      }
    case 'conntrack': {
      const written = unfilled(textLines(step.text), bindings)
      const got = sameConntrack([...written.keys()], textLines(await subject.conntrack()), subject.slack)
      return { title: 'conntrack', expected: [...written.values()].sort(), got: shown(got, written).sort() }
    }
    case 'log': {
      // The kernel ends a line with a blank, which nobody sees in a file.
      const lines = step.text.split('\n').map((line) => line.trimEnd())
      const written = lines.filter((line) => line !== '')
      const filled = written.map((line) => bindings.fillText(line))
      const got = await subject.log()
      if (!got) return { title: 'log', expected: written, got: written, skipped: 'the kernel log is not readable' }
      const matches = (line: string, i: number) => filled[i] !== undefined && matchLine(filled[i], line.trimEnd())
      return {
        title: 'log',
        expected: written,
        got: got.map((line, i) => (matches(line, i) ? written[i]! : line.trimEnd())),
      }
    }
  }
}

export function comparePackets(out: readonly Expected[], sent: Sent, bindings: Bindings) {
  const expected: string[] = []
  const got: string[] = []
  const rest = new Map([...sent].map(([device, packets]) => [device, [...packets]]))
  for (const { device, packet } of out) {
    const queue = rest.get(device) ?? []
    const filled = queue[0] ? bindings.fill(packet, decode(queue[0])) : bindings.fill(packet)
    for (const [line, bytes] of piecesOf(packet, filled)) {
      const seen = queue.shift()
      expected.push(`out ${device}: ${line}`)
      if (seen) got.push(`out ${device}: ${bytes === hexOf(seen) ? line : describePacket(seen)}`)
    }
  }
  for (const [device, queue] of rest) for (const packet of queue) got.push(`out ${device}: ${describePacket(packet)}`)
  return { expected, got }
}

/** The line and the bytes of each packet that a line stands for; a place-holder that nothing fits has no bytes. */
function piecesOf(written: Packet | Raw, filled: Packet | Raw): [string, string | undefined][] {
  const line = printPacket(written).replace(/\[[\da-f.:]+-[\da-f.:]+\]/gi, '')
  if (printPacket(filled).includes('$')) return [[printPacket(filled), undefined]]
  const all = encodeAll(filled)
  return all.map((bytes, i) => [all.length > 1 ? `${line} (${i + 1} of ${all.length})` : line, hexOf(bytes)])
}

/** Only the tables that the expectation names are compared: a kernel lists every table that was ever used. */
function compareCounters(expectedText: string, gotText: string) {
  const expected = tablesOf(expectedText)
  const got = tablesOf(gotText)
  // `ask` is what who writes a scenario puts there first; nothing prints it, so it fails and shows what there is.
  const names = [...(expected.size > 0 ? expected : got).keys()].sort()
  const lines = (tables: Map<string, string[]>) => names.flatMap((name) => [`*${name}`, ...(tables.get(name) ?? [])])
  return { expected: expected.size > 0 ? lines(expected) : [expectedText.trim()], got: lines(got) }
}

/** Whether a line is as expected, `$any` standing for a run of anything but blanks. */
function matchLine(expected: string, got: string): boolean {
  const pattern = expected
    .split(/\$any\b/)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^ ]+')
  return new RegExp(`^${pattern}$`).test(got)
}

/** Lines with their place-holders filled, and as they were written: what matched is shown as written, for either subject. */
function unfilled(lines: readonly string[], bindings: Bindings): Map<string, string> {
  return new Map(lines.map((line) => [bindings.fillText(line), line]))
}

function shown(lines: readonly string[], written: ReadonlyMap<string, string>): string[] {
  return lines.map((line) => written.get(line) ?? line)
}
