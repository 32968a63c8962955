// Match u32 (xt_u32): words of the packet at computed places, from the IP header on. Each test begins with a word at an offset, changes it
// by & << >>, jumps with @ (the value so far is added to the base from which offsets count), and compares it with ranges.

import type { Packet } from '../packet/packet.ts'
import { defineMatch } from '../rule/define.ts'
import { parseNumber } from '../rule/number.ts'
import { Problem, type Range, shown, word } from '../rule/option.ts'

const MAX = 10
const EXPECTS = `tests joined by &&, each OFFSET [& << >> @ NUMBER]... = N[:N],...; at most ${MAX} of each`
const OPERATORS = ['&', '<<', '>>', '@'] as const

interface Step {
  /** An index of OPERATORS. */
  readonly operator: number
  readonly operand: number
}

interface Test {
  readonly offset: number
  readonly steps: readonly Step[]
  readonly values: readonly Range[]
}

function readTests(text: string): readonly Test[] | Problem {
  const wrong = (at: string) => new Problem(`${shown(at === '' ? text : at)} is not understood: expected ${EXPECTS}`)
  const tests: Test[] = []
  for (const part of text.split('&&')) {
    const sides = part.split('=')
    const tokens = sides[0].split(/(<<|>>|&|@)/).map((token) => token.trim())
    const numbers = tokens.filter((_, i) => i % 2 === 0).map(readWord)
    if (sides.length !== 2 || numbers.includes(undefined)) return wrong(part)
    const [offset, ...operands] = numbers as number[]
    const steps = operands.map((operand, i) => ({
      operator: OPERATORS.indexOf(tokens[2 * i + 1] as (typeof OPERATORS)[number]),
      operand,
    }))
    const values: Range[] = []
    for (const range of sides[1].split(',')) {
      const [min, max = min, more] = range.split(':').map(readWord)
      if (min === undefined || max === undefined || more !== undefined || range.endsWith(':')) return wrong(range)
      values.push({ min, max })
    }
    const shifts = steps.some(({ operator, operand }) => (operator === 1 || operator === 2) && operand > 31)
    if (shifts || steps.length >= MAX || values.length > MAX) return wrong(part)
    tests.push({ offset, steps, values })
  }
  return tests.length > MAX ? wrong(text) : tests
}

function readWord(text: string): number | undefined {
  return parseNumber(text.trim(), 0xffffffff)
}

const hex = (value: number) => `0x${value.toString(16)}`

function format(tests: readonly Test[]): string {
  const written = tests.map(({ offset, steps, values }) => {
    const place = steps.map(({ operator, operand }) => `${OPERATORS[operator]}${hex(operand)}`)
    const ranges = values.map(({ min, max }) => (min === max ? hex(min) : `${hex(min)}:${hex(max)}`))
    return `${hex(offset)}${place.join('')}=${ranges.join(',')}`
  })
  return `"${written.join('&&')}"`
}

export const u32 = defineMatch({
  name: 'u32',
  summary: 'words of the packet at computed places',
  options: {
    u32: word<readonly Test[]>(EXPECTS, readTests, format).negatable().required().help('all of these tests hold'),
  },
  looks: 'packet',
  match: ({ u32: { value: tests, not } }) => {
    const hit = not ? 0 : 1
    return (p) => {
      for (let i = 0; i < tests.length; i++) if (!holds(p, tests[i])) return 1 - hit
      return hit
    }
  },
})

/** All values are unsigned words; a place outside the packet makes the test fail. */
function holds(p: Packet, { offset, steps, values }: Test): boolean {
  const { view, start, length } = p
  if (offset + 4 > length) return false
  let base = 0
  let value = view.getUint32(start + offset)
  for (let i = 0; i < steps.length; i++) {
    const { operator, operand } = steps[i]
    if (operator === 0) value = (value & operand) >>> 0
    else if (operator === 1) value = (value << operand) >>> 0
    else if (operator === 2) value >>>= operand
    else {
      base += value
      if (base + operand + 4 > length) return false
      value = view.getUint32(start + base + operand)
    }
  }
  for (let i = 0; i < values.length; i++) if (value >= values[i].min && value <= values[i].max) return true
  return false
}
