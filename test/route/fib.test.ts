import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Fib, type Route } from '../../src/route/fib.ts'
import { maskOf, parseAddress } from '../../src/wire/address.ts'

const route = (network: number, prefixLength: number, metric = 0): Route => ({
  network: network & maskOf(prefixLength),
  prefixLength,
  type: 1,
  link: 2,
  gateway: 0,
  source: 0,
  mtu: 0,
  metric,
})

/** The longest prefix, then the smallest metric, then the one that was given first. */
function naive(routes: readonly Route[], address: number): number {
  let best = -1
  routes.forEach((r, i) => {
    if ((address & maskOf(r.prefixLength)) !== r.network) return
    const b = routes[best]
    if (
      b === undefined ||
      r.prefixLength > b.prefixLength ||
      (r.prefixLength === b.prefixLength && r.metric < b.metric)
    )
      best = i
  })
  return best
}

// Few networks, so that prefixes nest and repeat, besides arbitrary ones.
const network = fc.oneof(
  fc.integer(),
  fc
    .constantFrom('10.0.0.0', '10.1.0.0', '10.1.2.0', '10.1.2.128', '10.1.2.3', '255.255.255.255')
    .map((t) => parseAddress(t)!),
)
const routes = fc.array(fc.tuple(network, fc.integer({ min: 0, max: 32 }), fc.nat(2)), { maxLength: 25 })

it('finds what looking at every route finds', () => {
  fc.assert(
    fc.property(routes, fc.array(fc.integer(), { maxLength: 10 }), (given, others) => {
      const list = given.map(([n, length, metric]) => route(n, length, metric))
      const fib = new Fib(list)
      const edges = list.flatMap((r) => [r.network, r.network | ~maskOf(r.prefixLength), (r.network - 1) | 0])
      for (const address of [...edges, ...others, 0, -1]) expect(fib.find(address)).toBe(naive(list, address))
    }),
    { numRuns: 300 },
  )
})

it('finds nothing without routes, and the default route everywhere', () => {
  expect(new Fib([]).find(parseAddress('10.0.0.1')!)).toBe(-1)
  const fib = new Fib([route(0, 0)])
  for (const text of ['0.0.0.0', '10.0.0.1', '255.255.255.255']) expect(fib.find(parseAddress(text)!)).toBe(0)
})
