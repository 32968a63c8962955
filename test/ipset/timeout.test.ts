// Timeouts, by a clock that moves only when told to.

import { expect, test } from 'vitest'
import { bare, matches } from './packet.ts'
import { newStore, refusal, run } from './sets.ts'

const members = (text: string) => [...text.matchAll(/^add \S+ (.*)$/gm)].map(([, member]) => member).sort()

test.each(['hash:ip', 'bitmap:ip range 10.0.0.0/24'])('members of %s end with their time and not before', (type) => {
  const store = newStore()
  const { time } = store
  time.set(1_700_000_000_123)
  run(store, `create s ${type} timeout 10`, 'add s 10.0.0.1', 'add s 10.0.0.2 timeout 100', 'add s 10.0.0.3 timeout 0')
  const p = bare(4)
  p.source = 0x0a000001
  const save = () => members(run(store, 'save s'))
  expect(save()).toEqual(['10.0.0.1 timeout 10', '10.0.0.2 timeout 100', '10.0.0.3 timeout 0'])
  time.set(time.wall + 9_999)
  expect(matches(store, 's', 'src', p)).toBe(true)
  expect(save()).toEqual(['10.0.0.1 timeout 1', '10.0.0.2 timeout 90', '10.0.0.3 timeout 0'])
  time.set(time.wall + 1)
  expect(matches(store, 's', 'src', p)).toBe(false)
  expect(refusal(store, 'test s 10.0.0.1')).toBe('10.0.0.1 is NOT in set s.')
  expect(refusal(store, 'del s 10.0.0.1')).toBe("Element cannot be deleted from the set: it's not added")
  run(store, 'add s 10.0.0.1 timeout 5')
  expect(save()).toEqual(['10.0.0.1 timeout 5', '10.0.0.2 timeout 90', '10.0.0.3 timeout 0'])
  run(store, 'add s 10.0.0.1 -exist')
  expect(save()).toContain('10.0.0.1 timeout 10')
  time.set(time.wall + 100_000)
  expect(save()).toEqual(['10.0.0.3 timeout 0'])
  expect(store.get('s').set.count).toBe(1)
})

test('the longest timeout lasts 24 days, across the wrap of the clock', () => {
  const store = newStore()
  const { time } = store
  time.set(2 ** 31 - 1000)
  run(store, 'create s hash:ip timeout 2147483', 'add s 10.0.0.1')
  const p = bare(4)
  p.source = 0x0a000001
  time.set(time.wall + 2147482_999)
  expect(matches(store, 's', 'src', p)).toBe(true)
  time.set(time.wall + 1)
  expect(matches(store, 's', 'src', p)).toBe(false)
})

test('tick takes away what has ended, some at a time, in every set', () => {
  const store = newStore()
  run(store, 'create a hash:ip timeout 1', 'create b bitmap:ip range 10.0.0.0/24 timeout 1', 'create c hash:ip')
  run(store, 'create d hash:ip timeout 100000')
  run(store, 'add a 10.0.0.0/17', 'add b 10.0.0.0/24', 'add c 10.0.0.0/24', 'add d 10.0.0.0/24')
  const bytes = store.get('a').set.byteLength
  store.time.set(5000)
  const held = () => {
    // count would sweep the set itself.
    const table = store.get('a').set as unknown as { table: { count: number } }
    return table.table.count
  }
  store.tick()
  const after = held()
  expect(after).toBeLessThan(32768)
  expect(after).toBeGreaterThan(0)
  for (let i = 0; i < 100; i++) store.tick()
  expect(held()).toBe(0)
  expect(['b', 'c', 'd'].map((name) => store.get(name).set.count)).toEqual([0, 256, 256])
  expect(bytes).toBeGreaterThan(0)
})

test('a list lets members go whose time has ended, and they can be destroyed then', () => {
  const store = newStore()
  run(store, 'create a hash:ip', 'create l list:set timeout 5', 'add l a')
  expect(refusal(store, 'destroy a')).toBe('Set cannot be destroyed: it is in use by a kernel component')
  store.time.set(6000)
  expect(members(run(store, 'save l'))).toEqual([])
  run(store, 'destroy a')
})

test('a full set makes place of what has ended', () => {
  const store = newStore()
  run(store, 'create s hash:ip timeout 5 maxelem 2', 'add s 10.0.0.1', 'add s 10.0.0.2 timeout 50')
  expect(refusal(store, 'add s 10.0.0.3')).toBe('Hash is full, cannot add more elements')
  store.time.set(5001)
  run(store, 'add s 10.0.0.3')
  expect(store.get('s').set.count).toBe(2)
})
