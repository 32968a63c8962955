import { expect, it } from 'vitest'
import { HEADROOM, Slab, STRIDE } from '../../src/packet/slab.ts'

it('every slot is given out once, and -1 when there is none', () => {
  const slab = new Slab(5)
  const starts = new Set(Array.from({ length: 5 }, () => slab.take()))
  expect(starts.size).toBe(5)
  expect([slab.free, slab.take()]).toEqual([0, -1])
  for (const start of starts) expect([start % STRIDE, start >= 0 && start < 5 * STRIDE]).toEqual([HEADROOM, true])
})

it('a slot comes back whole, wherever in it the packet had moved to', () => {
  const slab = new Slab(2)
  const [a, b] = [slab.take(), slab.take()]
  slab.give(a - HEADROOM)
  slab.give(b + 65535)
  expect(slab.free).toBe(2)
  expect(new Set([slab.take(), slab.take()])).toEqual(new Set([a, b]))
})

it('the largest packet fits into a slot and leaves the next one alone', () => {
  const slab = new Slab(3)
  const [a, b] = [slab.take(), slab.take()].sort((x, y) => x - y)
  expect(a! + 65535).toBeLessThan(b! - HEADROOM)
})

it.each([0, -1, 1.5, 30_001, Number.NaN])('a slab of %s slots is refused', (slots) => {
  expect(() => new Slab(slots)).toThrow(expect.objectContaining({ code: 'ERR_SLAB_SIZE' }))
})
