// A scenario file (test/scenario/*.yaml; README.md there) as data. Every key and every packet is checked when it is read, so that
// a slip in a scenario is an error with the file's name and line, not a test that tests nothing.

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import type { RouterConfig } from '../../../src/config.ts'
import { type Packet, parsePacket, type Raw } from '../packet/index.ts'

export interface Expected {
  readonly device: string
  /** As written, with its place-holders. */
  readonly packet: Packet | Raw
}

export type Step = { readonly line: number } & (
  | { kind: 'in'; device: string; packets: (Packet | Raw)[]; out: Expected[] }
  | { kind: 'pause'; milliseconds: number }
  | { kind: 'rules' | 'counters'; family: 4 | 6; text: string }
  | { kind: 'conntrack' | 'log'; text: string }
  | { kind: 'ip'; commands: readonly string[] }
)

export interface Scenario {
  /** The file's name without .yaml. */
  readonly name: string
  readonly what: string
  readonly config: RouterConfig
  readonly rules: string
  readonly rules6: string
  readonly steps: readonly Step[]
}

const CHECKS = 'counters, counters6, conntrack, log'

export function readScenario(file: string): Scenario {
  return parseScenario(readFileSync(file, 'utf8'), basename(file))
}

export function parseScenario(text: string, file: string): Scenario {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const lineOf = (node: unknown) => lines.linePos((node as Node | null)?.range?.[0] ?? 0).line
  const fail = (node: unknown, message: string): never => {
    throw new SyntaxError(`${file}:${lineOf(node)}: ${message}`)
  }
  if (document.errors[0]) fail(undefined, document.errors[0].message)
  const top = document.contents
  if (!isMap(top)) return fail(top, 'a map was expected')
  const stringOf = (node: unknown, name: string): string =>
    isScalar(node) && typeof node.value === 'string' ? node.value : fail(node, `${name}: a text was expected`)

  let what = ''
  let config: RouterConfig | undefined
  let rules = ''
  let rules6 = ''
  const steps: Step[] = []
  const checks: Step[] = []

  const checkOf = (node: unknown, name: string) => {
    const text = stringOf(node, name)
    if (text.trim() === '') fail(node, `${name}: say what is expected, or "nothing"`)
    return text.trim() === 'nothing' ? '' : text
  }
  const checkStep = (name: string, line: number, node: unknown): Step | undefined => {
    if (name === 'conntrack' || name === 'log') return { kind: name, line, text: checkOf(node, name) }
    if (name !== 'counters' && name !== 'counters6') return undefined
    return { kind: 'counters', family: name === 'counters' ? 4 : 6, line, text: checkOf(node, name) }
  }
  const packetOf = (node: unknown): (Packet | Raw)[] => {
    const [, times, line] = /^(?:(\d+) x )?(.*)$/s.exec(stringOf(node, 'a packet'))!
    try {
      return new Array(Number(times ?? 1)).fill(parsePacket(line!))
    } catch (error) {
      return fail(node, (error as Error).message)
    }
  }
  const packetsOf = (node: unknown) => (isSeq(node) ? node.items.flatMap(packetOf) : packetOf(node))

  const readStep = (node: unknown) => {
    if (!isMap(node) || node.items.length !== 1) return fail(node, 'one step was expected: "- in tun0: ..."')
    const { key, value } = node.items[0]!
    const name = stringOf(key, 'a step')
    const line = lineOf(key)
    const [verb, device] = name.split(' ')
    const last = steps.at(-1)
    if (device !== undefined && !(config && device in config.devices)) fail(key, `config has no device "${device}"`)
    if (verb === 'in' && device) steps.push({ kind: 'in', line, device, packets: packetsOf(value), out: [] })
    else if (verb === 'out') {
      if (last?.kind !== 'in') return fail(key, 'an "out" follows its "in"')
      if (device) last.out.push(...packetsOf(value).map((packet) => ({ device, packet })))
      else if (!isScalar(value) || value.value !== 'nothing')
        fail(value, '"out DEVICE: packet" or "out: nothing" was expected')
      silent.delete(last)
    } else if (name === 'pause')
      steps.push({ kind: 'pause', line, milliseconds: duration(stringOf(value, name), value) })
    else if (name === 'ip')
      steps.push({
        kind: 'ip',
        line,
        commands: stringOf(value, name)
          .trim()
          .split(/\s*\n\s*/),
      })
    else if (name === 'rules' || name === 'rules6')
      steps.push({ kind: 'rules', family: name === 'rules' ? 4 : 6, line, text: stringOf(value, name) })
    else {
      const check = checkStep(name, line, value)
      if (check) steps.push(check)
      else fail(key, `"${name}" is not a step (in DEVICE, out DEVICE, out, pause, ip, rules, rules6, ${CHECKS})`)
    }
    if (verb === 'in') silent.add(steps.at(-1)!)
  }
  const silent = new Set<Step>()
  const duration = (text: string, node: unknown) => {
    const found = /^(\d+(?:\.\d+)?)(ms|s)$/.exec(text)
    return found ? Number(found[1]) * (found[2] === 's' ? 1000 : 1) : fail(node, `"${text}" is not a time (31s, 500ms)`)
  }

  for (const { key, value } of top.items) {
    const name = stringOf(key, 'a key')
    if (name === 'what') what = stringOf(value, name)
    else if (name === 'config') config = (value as Node).toJS(document) as RouterConfig
    else if (name === 'rules') rules = stringOf(value, name)
    else if (name === 'rules6') rules6 = stringOf(value, name)
    else if (name === 'steps') {
      if (!config) fail(key, 'config comes before steps')
      if (!isSeq(value)) return fail(value, 'a list of steps was expected')
      for (const item of value.items) readStep(item)
    } else {
      const check = checkStep(name, lineOf(key), value)
      if (check) checks.push(check)
      else fail(key, `"${name}" is not known (what, config, rules, rules6, steps, ${CHECKS})`)
    }
  }
  if (!what || !config?.devices || steps.length === 0) fail(top, 'what, config with devices, and steps must be there')
  for (const step of silent)
    throw new SyntaxError(`${file}:${step.line}: say what comes out: "- out DEVICE: packet", or "- out: nothing"`)
  return { name: file.replace(/\.yaml$/, ''), what, config: config!, rules, rules6, steps: [...steps, ...checks] }
}
