import { expect, it } from 'vitest'
import { ACCEPT, DROP, FORWARD, INPUT, QUEUE, QUEUE_BYPASS, QUEUE_SHIFT, REPEAT, STOLEN } from '../../src/hook/hook.ts'
import { HELD, PASSED, Way } from '../../src/hook/way.ts'
import type { Packet } from '../../src/packet/packet.ts'

const p = {} as Packet

function way(steps: readonly (readonly [name: string, priority: number, verdict?: number])[], called: string[] = []) {
  const made = new Way(() => PASSED)
  for (const [i, [name, priority, verdict = ACCEPT]] of steps.entries()) {
    const run = () => {
      called.push(name)
      return verdict
    }
    made.add(FORWARD, { name, priority, run, reason: i })
  }
  return { made, called }
}

it('the lowest priority comes first, and among equals the one that was registered first', () => {
  const { made, called } = way([
    ['late', 100],
    ['b1', 0],
    ['early', -2147483648],
    ['b2', 0],
    ['last', 2147483647],
    ['b3', 0],
    ['a', -1],
  ])
  expect(made.walk(FORWARD, p)).toBe(ACCEPT)
  expect(called).toEqual(['early', 'a', 'b1', 'b2', 'b3', 'late', 'last'])
})

it.each([
  ['DROP', DROP],
  ['STOLEN', STOLEN],
])('%s ends the walk and leaves the reason of who said it', (_, verdict) => {
  const { made, called } = way([
    ['a', 1],
    ['b', 2, verdict],
    ['c', 3],
  ])
  expect([made.walk(FORWARD, p), made.reason, called]).toEqual([verdict, 1, ['a', 'b']])
})

it('REPEAT runs the same function again, not those before it', () => {
  const made = new Way(() => PASSED)
  const called: string[] = []
  const add = (name: string, priority: number, verdict: () => number) => {
    const run = () => {
      called.push(name)
      return verdict()
    }
    made.add(FORWARD, { name, priority, reason: 0, run })
  }
  let again = 2
  add('a', 0, () => ACCEPT)
  add('b', 1, () => (again-- > 0 ? REPEAT : ACCEPT))
  add('c', 2, () => ACCEPT)
  expect(made.walk(FORWARD, p)).toBe(ACCEPT)
  expect(called).toEqual(['a', 'b', 'b', 'b', 'c'])
})

it('a walk within a walk leaves the outer one its own reason', () => {
  const made = new Way(() => PASSED)
  made.add(INPUT, { name: 'inner', priority: 0, reason: 7, run: () => DROP })
  made.add(FORWARD, {
    name: 'outer',
    priority: 0,
    reason: 3,
    run: () => {
      made.walk(INPUT, p)
      return DROP
    },
  })
  made.walk(FORWARD, p)
  expect(made.reason).toBe(3)
})

it.each([
  ['goes on behind the step that queued it', PASSED, ACCEPT, ['a', 'b', 'c']],
  ['is taken over', HELD, STOLEN, ['a', 'b']],
  ['is dropped for the reason that is said', 9, DROP, ['a', 'b']],
])('a packet that a step queues %s', (_, said, verdict, names) => {
  const asked: unknown[] = []
  const made = new Way((...args) => {
    asked.push(args.map((arg, i) => (i === 2 ? (arg as { name: string }).name : arg)))
    return said
  })
  const called: string[] = []
  const queued = QUEUE | QUEUE_BYPASS | (65535 << QUEUE_SHIFT)
  for (const name of ['a', 'b', 'c'])
    made.add(FORWARD, {
      name,
      priority: 0,
      reason: 1,
      run: () => {
        called.push(name)
        return name === 'b' ? queued : ACCEPT
      },
    })
  expect([made.walk(FORWARD, p), called]).toEqual([verdict, names])
  expect(asked).toEqual([[p, FORWARD, 'b', queued]])
  if (verdict === DROP) expect(made.reason).toBe(9)
})

it('a walk is resumed behind a step or at it, also where the steps are others by then', () => {
  const { made, called } = way([
    ['a', 1],
    ['b', 2],
    ['c', 2],
    ['d', 3],
  ])
  const resume = (name: string, priority: number, again: boolean) => {
    called.length = 0
    const step = { name, priority, reason: 0, run: () => ACCEPT }
    made.walk(FORWARD, p, made.place(FORWARD, step, again))
    return called.join('')
  }
  expect([resume('b', 2, false), resume('b', 2, true)]).toEqual(['cd', 'bcd'])
  expect([resume('gone', 2, false), resume('gone', 2, true)]).toEqual(['d', 'd'])
  expect(resume('gone', 9, true)).toBe('')
})
