import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { Fib6, type Route6 } from '../../src/route/fib6.ts'
import { bestSource } from '../../src/route/source6.ts'
import * as type from '../../src/route/type.ts'
import { commonBits6, format6, maskWords6, parse6 } from '../../src/wire/address6.ts'

const route = (network: readonly number[], prefixLength: number, metric = 0): Route6 => {
  const mask = maskWords6(prefixLength)
  const masked = network.map((word, i) => word & mask[i]!)
  return {
    network: masked,
    prefixLength,
    type: type.UNICAST,
    link: 2,
    gateway: undefined,
    source: undefined,
    mtu: 0,
    metric,
  }
}

// Few values, so that prefixes lie within each other.
const word = fc.constantFrom(0, 1, -1, 0x80000000 | 0, 0x20010db8, 0x00ff00ff)
const address = fc.tuple(word, word, word, word)
const routes = fc.array(
  fc
    .tuple(address, fc.integer({ min: 0, max: 128 }), fc.nat(2))
    .map(([network, length, metric]) => route(network, length, metric)),
  { maxLength: 12 },
)

/** The longest prefix, the best metric, the first: by looking at all. */
function plainly(table: readonly Route6[], address: readonly number[]): Route6 | undefined {
  let best: Route6 | undefined
  for (const r of table) {
    if (commonBits6(r.network, address) < r.prefixLength) continue
    const longer = best === undefined || r.prefixLength > best.prefixLength
    if (longer || (r.prefixLength === best!.prefixLength && r.metric < best!.metric)) best = r
  }
  return best
}

test('a look-up finds what a search through the tables finds, the first table first', () => {
  fc.assert(
    fc.property(routes, routes, address, (local, main, wanted) => {
      const fib = new Fib6(local, main)
      const [a, b, c, d] = wanted
      const found = fib.find(a, b, c, d)
      expect(found < 0 ? undefined : fib.routes[found]).toBe(plainly(local, wanted) ?? plainly(main, wanted))
    }),
    { numRuns: 500 },
  )
})

describe('the source for a destination (RFC 6724)', () => {
  const own = (text: string, link: number) => ({ address: parse6(text)!, prefixLength: 64, link })
  it.each<[string, string[], string, string]>([
    ['an own address speaks to itself', ['2001:db8:1::1', '2001:db8:1::2'], '2001:db8:1::2', '2001:db8:1::2'],
    ['a global one to what is global', ['fe80::1', '2001:db8:1::1'], '2001:db8:9::1', '2001:db8:1::1'],
    ['a link-local one to the link', ['2001:db8:1::1', 'fe80::1'], 'fe80::9', 'fe80::1'],
    ['a link-local one rather than none', ['fe80::1'], '2001:db8:9::1', 'fe80::1'],
    ['a unique local one to its like', ['2001:db8:1::1', 'fd00::1'], 'fd00:9::1', 'fd00::1'],
    ['the one with more bits in common', ['2001:db8:1::1', '2001:db8:8::1'], '2001:db8:9::1', '2001:db8:8::1'],
    ['of equals the first', ['2001:db8:1::1', '2001:db8:1::2'], '2001:db8:1::9', '2001:db8:1::1'],
  ])('%s', (_, candidates, destination, expected) => {
    const found = bestSource(
      candidates.map((text) => own(text, 2)),
      2,
      parse6(destination)!,
    )
    expect(format6(found!)).toBe(expected)
  })

  it("the device's own address before one that fits better elsewhere", () => {
    const found = bestSource([own('2001:db8:8::1', 2), own('2001:db8:1::1', 3)], 3, parse6('2001:db8:9::1')!)
    expect(format6(found!)).toBe('2001:db8:1::1')
  })
})
