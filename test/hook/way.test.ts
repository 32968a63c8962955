import { expect, it } from 'vitest'
import { ACCEPT, DROP, FORWARD, INPUT, QUEUE, REPEAT, STOLEN } from '../../src/hook/hook.ts'
import { Way } from '../../src/hook/way.ts'
import type { Packet } from '../../src/packet/packet.ts'

const p = {} as Packet

function way(steps: readonly (readonly [name: string, priority: number, verdict?: number])[], called: string[] = []) {
  const made = new Way()
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
  ['QUEUE', QUEUE],
])('%s ends the walk and leaves the reason of who said it', (_, verdict) => {
  const { made, called } = way([
    ['a', 1],
    ['b', 2, verdict],
    ['c', 3],
  ])
  expect([made.walk(FORWARD, p), made.reason, called]).toEqual([verdict, 1, ['a', 'b']])
})

it('REPEAT runs the same function again, not those before it', () => {
  const made = new Way()
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
  const made = new Way()
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
