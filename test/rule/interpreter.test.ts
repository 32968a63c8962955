import { describe, expect, it } from 'vitest'
import { ACCEPT, DROP, FORWARD, OUTPUT, REPEAT } from '../../src/hook/hook.ts'
import { Slab } from '../../src/packet/slab.ts'
import { countersIn } from '../../src/rule/counters.ts'
import { CONTINUE, HOTDROP, type MatchFunction } from '../../src/rule/define.ts'
import { Interpreter } from '../../src/rule/interpreter.ts'
import type { Chain, RuleSet } from '../../src/rule/model.ts'
import type { Program } from '../../src/rule/program.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { packetIn } from '../support/packets.ts'
import { chain, does, environment, type Fields, madeReady, rule, ruleSet } from './rules.ts'

const names = ['', 'lo', 'eth0', 'eth1', 'wan0']
const links = { size: names.length, name: (i: number) => names[i] ?? '' }
const packet = packetIn(new Slab(1), 'udp 10.0.1.2:1000 > 203.0.113.9:53 len 5')
packet.outLink = 4

const yes: MatchFunction = () => 1
const no: MatchFunction = () => 0

function run(chains: readonly Chain[], hook = FORWARD) {
  const set = ruleSet(chains)
  const program = madeReady(set, environment(links))
  const interpreter = new Interpreter()
  const base = program.base('filter', hook)!
  const said = interpreter.run(base, program.entries, packet, hook)
  return { said, counts: countsOf(set, program), program, interpreter, set }
}

/** Packets by chain: the policy's, then each rule's. */
function countsOf(set: RuleSet, program: Program): Record<string, number[]> {
  const chains = [...set.tables.get('filter')!.chains.values()]
  const countersOf = countersIn(set, program)
  return Object.fromEntries(chains.map((c) => [c.name, [c, ...c.rules].map((of) => countersOf(of).packets)]))
}

const forward = (...rules: ReturnType<typeof rule>[]) => chain('FORWARD', rules, 'ACCEPT')

describe('the walk through a chain', () => {
  it('ends at the first verdict, and only a policy that is reached counts', () => {
    const { said, counts } = run([forward(rule(''), rule('DROP', [no]), rule('DROP'), rule('ACCEPT'))])
    expect([said, counts]).toEqual([DROP, { FORWARD: [0, 1, 0, 1, 0] }])
  })

  it("ends with the policy, and bytes are those of the packet's length", () => {
    const set = ruleSet([chain('FORWARD', [rule('')], 'DROP')])
    const program = madeReady(set, environment(links))
    const said = new Interpreter().run(program.base('filter', FORWARD)!, program.entries, packet, FORWARD)
    const [base] = set.tables.get('filter')!.chains.values()
    expect(said).toBe(DROP)
    const countersOf = countersIn(set, program)
    expect(countersOf(base!)).toEqual({ packets: 1, bytes: 33 })
    expect(countersOf(base!.rules[0]!)).toEqual({ packets: 1, bytes: 33 })
  })

  it('goes on behind a jump when the chain ends or returns', () => {
    const end = run([forward(rule('-j A'), rule('DROP')), chain('A', [rule('')])])
    expect([end.said, end.counts]).toEqual([DROP, { FORWARD: [0, 1, 1], A: [0, 1] }])
    const back = run([forward(rule('-j A'), rule('DROP')), chain('A', [rule('RETURN'), rule('ACCEPT')])])
    expect([back.said, back.counts]).toEqual([DROP, { FORWARD: [0, 1, 1], A: [0, 1, 0] }])
  })

  it('does not come back from a goto: the last jump does', () => {
    const { said, counts } = run([
      forward(rule('-j A'), rule('DROP')),
      chain('A', [rule('-g B'), rule('ACCEPT')]),
      chain('B', [rule('')]),
    ])
    expect([said, counts]).toEqual([DROP, { FORWARD: [0, 1, 1], A: [0, 1, 0], B: [0, 1] }])
  })

  it('from a goto of the base chain goes to its policy, at the end and at RETURN', () => {
    for (const rules of [[rule('')], [rule('RETURN'), rule('ACCEPT')]]) {
      const { said, counts } = run([forward(rule('-g A'), rule('DROP')), chain('A', rules)])
      expect([said, counts.FORWARD]).toEqual([ACCEPT, [1, 1, 0]])
    }
  })

  it('at RETURN in the base chain goes to its policy', () => {
    const { said, counts } = run([chain('FORWARD', [rule('RETURN'), rule('ACCEPT')], 'DROP')])
    expect([said, counts]).toEqual([DROP, { FORWARD: [1, 1, 0] }])
  })

  it('through deep jumps comes back through each', () => {
    const deep = Array.from({ length: 50 }, (_, i) =>
      chain(`C${i}`, i < 49 ? [rule(`-j C${i + 1}`), rule('')] : [rule('RETURN')]),
    )
    const { said, counts } = run([forward(rule('-j C0'), rule('')), ...deep])
    expect([said, counts.FORWARD, counts.C0, counts.C48]).toEqual([ACCEPT, [1, 1, 1], [0, 1, 1], [0, 1, 1]])
  })

  it('drops at a match that cannot judge the packet, without counting', () => {
    const { said, counts } = run([
      forward(rule('-j A')),
      chain('A', [rule('ACCEPT', [yes, () => HOTDROP]), rule('ACCEPT')]),
    ])
    expect([said, counts]).toEqual([DROP, { FORWARD: [0, 1], A: [0, 0, 0] }])
  })

  it('hands verdicts of targets on as they are', () => {
    expect(run([forward(does(() => REPEAT))]).said).toBe(REPEAT)
  })

  it('asks no match behind one that says no', () => {
    let asked = 0
    run([forward(rule('ACCEPT', [no, () => ++asked]))])
    expect(asked).toBe(0)
  })
})

describe('a walk within a walk', () => {
  it('comes back to its own place, whatever the outer one had pushed', () => {
    const order: string[] = []
    const act = (what: () => void) =>
      does(() => {
        what()
        return CONTINUE
      })
    const note = (text: string) => act(() => order.push(text))
    let inner = () => {}
    const set = ruleSet([
      forward(rule('-j A'), note('forward behind A')),
      chain('A', [rule('-j B'), note('A behind B')]),
      chain('B', [act(() => inner()), note('B behind the inner walk')]),
      chain('OUTPUT', [rule('-j X'), note('output behind X')], 'DROP'),
      chain('X', [note('X'), rule('-g Y')]),
      chain('Y', [note('Y'), rule('RETURN')]),
    ])
    const program = madeReady(set, environment(links))
    const interpreter = new Interpreter()
    let said: number | undefined
    inner = () => {
      said = interpreter.run(program.base('filter', OUTPUT)!, program.entries, packet, OUTPUT)
    }
    for (let i = 0; i < 3; i++) {
      order.length = 0
      expect(interpreter.run(program.base('filter', FORWARD)!, program.entries, packet, FORWARD)).toBe(ACCEPT)
      expect([said, order]).toEqual([
        DROP,
        ['X', 'Y', 'output behind X', 'B behind the inner walk', 'A behind B', 'forward behind A'],
      ])
    }
  })

  it('leaves nothing behind when a verdict ends it inside jumps', () => {
    const { interpreter, program, set } = run([
      forward(rule('-j A')),
      chain('A', [rule('-j B')]),
      chain('B', [rule('DROP')]),
    ])
    const base = program.base('filter', FORWARD)!
    for (let i = 0; i < 100; i++) expect(interpreter.run(base, program.entries, packet, FORWARD)).toBe(DROP)
    expect(countsOf(set, program).FORWARD).toEqual([0, 101])
  })
})

describe("a rule's plain fields", () => {
  const net = (address: string, mask: string) => ({ address: [parseAddress(address)!], mask: [parseAddress(mask)!] })
  const name = (text: string) => ({ name: text.replace(/\+$/, ''), wildcard: text.endsWith('+') })
  it.each<[string, Fields, boolean]>([
    ['-s 10.0.1.0/24', { source: { value: net('10.0.1.0', '255.255.255.0'), not: false } }, true],
    ['! -s 10.0.1.0/24', { source: { value: net('10.0.1.0', '255.255.255.0'), not: true } }, false],
    ['-s 10.0.2.0/24', { source: { value: net('10.0.2.0', '255.255.255.0'), not: false } }, false],
    ['-s with bits beyond the mask', { source: { value: net('10.0.1.99', '255.255.255.0'), not: false } }, true],
    ['-s with holes', { source: { value: net('10.0.0.2', '255.255.0.255'), not: false } }, true],
    ['-d above 2^31', { destination: { value: net('203.0.113.9', '255.255.255.255'), not: false } }, true],
    ['! -d 0/0', { destination: { value: net('0.0.0.0', '0.0.0.0'), not: true } }, false],
    ['-i eth0', { inInterface: { value: name('eth0'), not: false } }, true],
    ['-i eth+', { inInterface: { value: name('eth+'), not: false } }, true],
    ['-i eth', { inInterface: { value: name('eth'), not: false } }, false],
    ['! -i eth0', { inInterface: { value: name('eth0'), not: true } }, false],
    ['-i eth9', { inInterface: { value: name('eth9'), not: false } }, false],
    ['! -i eth9', { inInterface: { value: name('eth9'), not: true } }, true],
    ['-i +', { inInterface: { value: name('+'), not: false } }, true],
    ['-o wan+', { outInterface: { value: name('wan+'), not: false } }, true],
    ['-p udp', { protocol: { value: 17, not: false } }, true],
    ['! -p udp', { protocol: { value: 17, not: true } }, false],
    ['! -p tcp', { protocol: { value: 6, not: true } }, true],
    ['-f', { fragment: { value: true, not: false } }, false],
    ['! -f', { fragment: { value: true, not: true } }, true],
  ])('%s', (_, fields, expected) => {
    expect(run([chain('FORWARD', [rule('DROP', [], fields)], 'ACCEPT')]).said === DROP).toBe(expected)
  })

  it('-f is a later fragment', () => {
    const later = packetIn(new Slab(1), 'udp 10.0.1.2 > 203.0.113.9 len 8 frag 80 MF')
    const first = packetIn(new Slab(1), 'udp 10.0.1.2:1 > 203.0.113.9:2 len 8 MF')
    for (const [not, p, expected] of [
      [false, later, DROP],
      [true, later, ACCEPT],
      [false, first, ACCEPT],
      [true, first, DROP],
    ] as const) {
      const program = madeReady(
        ruleSet([forward(rule('DROP', [], { fragment: { value: true, not } }))]),
        environment(links),
      )
      expect(new Interpreter().run(program.base('filter', FORWARD)!, program.entries, p, FORWARD)).toBe(expected)
    }
  })
})

it('a jump to a chain that is not there is refused when the rules are made ready', () => {
  expect(() => run([forward(rule('-j NOWHERE'))])).toThrow(
    expect.objectContaining({
      code: 'ERR_RULES',
      message: expect.stringContaining("FORWARD: there is no chain 'NOWHERE'"),
    }),
  )
})
