// Programs of match bpf decide what they decide in the kernel: written ones for each instruction, and ones that are put together at
// random, of which the kernel also says whether they are programs at all.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readProgram } from '../../src/match/bpf-program.ts'
import { Problem } from '../../src/rule/option.ts'
import { judge, needsIptables } from '../iptables/real-tools.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { expectTakenAlike, packet4, packet6 } from './beside-kernel.ts'

const PACKETS_4 = [
  packet4(17, '03e8003500090000aa'),
  packet4(6, '03e8005000000001000000025002ffff00000000', { tos: 0x10 }),
  packet4(1, '0800f7fd00010001', { ttl: 1 }),
  packet4(50, ''),
  packet4(17, 'ffffffffffffffffffffffff', { ttl: 255 }),
  packet4(17, '80000000800000007fffffff00'),
]
const PACKETS_6 = [
  packet6(17, '03e8003500090000aa'),
  packet6(58, '8000000000010001', { hopLimit: 255 }),
  packet6(59, ''),
]

const rule = (...code: string[]) => `-m bpf --bytecode "${[code.length, ...code].join(',')}"`
/** Load X with a word, then A, then calculate, and compare with a constant. */
const alu = (operation: number, a: number, x: number) =>
  rule(`0 0 0 ${x}`, '7 0 0 0', `0 0 0 ${a}`, `${operation | 8 | 4} 0 0 0`, '22 0 0 0')

const WRITTEN = [
  rule('48 0 0 9', '21 0 1 6', '6 0 0 1', '6 0 0 0'),
  rule('6 0 0 0'),
  rule('6 0 0 4294967295'),
  ...[0, 9, 19, 20, 24, 28, 29, 27].flatMap((k) => [32, 40, 48].map((code) => rule(`${code} 0 0 ${k}`, '22 0 0 0'))),
  // Behind the network header, behind the link's, and X.
  ...[0, 9, 20].flatMap((k) => [0xfff00000, 0xffe00000].map((base) => rule(`48 0 0 ${base + k}`, '22 0 0 0'))),
  rule('177 0 0 0', '72 0 0 0', '22 0 0 0'),
  rule('177 0 0 0', '64 0 0 2', '22 0 0 0'),
  rule('177 0 0 100', '6 0 0 1'),
  rule('1 0 0 4294967295', '80 0 0 10', '22 0 0 0'),
  rule('128 0 0 0', '53 0 1 29', '6 0 0 1', '6 0 0 0'),
  rule('129 0 0 0', '135 0 0 0', '37 0 1 28', '6 0 0 1', '6 0 0 0'),
  // Memory.
  rule('0 0 0 7', '2 0 0 15', '0 0 0 0', '96 0 0 15', '22 0 0 0'),
  rule('1 0 0 7', '3 0 0 0', '97 0 0 0', '135 0 0 0', '21 0 1 7', '6 0 0 1', '6 0 0 0'),
  // Calculations at the ends of 32 bits.
  ...[0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xa0].flatMap((operation) =>
    [
      [0xffffffff, 1],
      [0x80000000, 0x80000000],
      [7, 0],
      [0, 7],
      [1, 31],
      [0x80000000, 31],
      [1, 33],
      [0x80000001, 2],
    ].map(([a, x]) => alu(operation, a!, x!)),
  ),
  rule('0 0 0 0', '132 0 0 0', '22 0 0 0'),
  rule('0 0 0 5', '132 0 0 0', '21 0 1 4294967291', '6 0 0 1', '6 0 0 0'),
  // Comparisons without a sign, by constant and by X.
  ...[0x10, 0x20, 0x30, 0x40].flatMap((operation) =>
    [
      [0xffffffff, 1],
      [1, 0xffffffff],
      [5, 5],
      [0x80000000, 0x7fffffff],
    ].flatMap(([a, b]) => [
      rule(`0 0 0 ${a}`, `${operation | 5} 0 1 ${b}`, '6 0 0 1', '6 0 0 0'),
      rule(`1 0 0 ${b}`, `0 0 0 ${a}`, `${operation | 13} 0 1 0`, '6 0 0 1', '6 0 0 0'),
    ]),
  ),
  rule('5 0 0 1', '6 0 0 0', '6 0 0 1'),
  // What is known beside the bytes: protocol, type of packet, mark, exclusive or with X.
  rule('40 0 0 4294963200', '21 0 1 2048', '6 0 0 1', '6 0 0 0'),
  rule('40 0 0 4294963200', '21 0 1 34525', '6 0 0 1', '6 0 0 0'),
  rule('40 0 0 4294963204', '22 0 0 0'),
  rule('32 0 0 4294963220', '22 0 0 0'),
  rule('1 0 0 5', '0 0 0 5', '32 0 0 4294963240', '22 0 0 0'),
]

test(...needsKernel('written programs decide in IPv4 as in the kernel'), () => expectTakenAlike(4, WRITTEN, PACKETS_4))
test(...needsKernel('written programs decide in IPv6 as in the kernel'), () => expectTakenAlike(6, WRITTEN, PACKETS_6))

/** Codes that there are, and a few that there are not. */
const CODES = [
  0, 1, 2, 3, 32, 40, 48, 64, 72, 80, 96, 97, 128, 129, 177, 4, 12, 20, 28, 36, 44, 52, 60, 68, 76, 84, 92, 100, 108,
  116, 124, 132, 148, 156, 164, 172,
].concat([5, 21, 29, 37, 45, 53, 61, 69, 77, 6, 22, 7, 135])
const WRONG_CODES = [8, 33, 49, 13, 14, 140, 255, 65535]
const instruction = fc.tuple(
  fc.oneof(
    { weight: 60, arbitrary: fc.constantFrom(...CODES) },
    { weight: 1, arbitrary: fc.constantFrom(...WRONG_CODES) },
  ),
  fc.nat(3),
  fc.nat(3),
  fc.oneof(fc.nat(31), fc.constantFrom(0, 0xffffffff, 0x80000000, 0xfff00000)),
)
const programs = fc
  .array(instruction, { minLength: 0, maxLength: 8 })
  .map((body) => [...body, [22, 0, 0, 0], [6, 0, 0, 1]])
  .map((program) => `${program.length},${program.map((one) => one.join(' ')).join(',')}`)

test(...needsIptables('random programs are programs, and decide, as in the kernel'), async () => {
  const sample = fc.sample(programs, { numRuns: 400, seed: 7 })
  const judged = judge(sample.map((text) => `*raw\n-A PREROUTING -m bpf --bytecode "${text}"\nCOMMIT\n`))
  const kernel = judged.map((one) => 'saved' in one)
  const ours = sample.map((text) => !(readProgram(text) instanceof Problem))
  expect(sample.filter((_, i) => kernel[i] !== ours[i])).toEqual([])
  const good = sample.filter((_, i) => ours[i])
  expect(good.length).toBeGreaterThan(50)
  await expectTakenAlike(
    4,
    good.map((text) => `-m bpf --bytecode "${text}"`),
    PACKETS_4,
  )
})
