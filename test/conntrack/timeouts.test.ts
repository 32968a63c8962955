// Timeout policies: what they may say, and for which flows they hold.

import { describe, expect, test } from 'vitest'
import type { TimeoutPolicy } from '../../src/config.ts'
import { EXTRA_WORDS, Extensions, POLICY } from '../../src/conntrack/extensions.ts'
import { Timeouts } from '../../src/conntrack/timeouts.ts'
import { sysctls } from '../../src/sysctl.ts'

const made = (policies: Record<string, TimeoutPolicy>) => new Timeouts(sysctls({}), new Extensions(10), policies)

describe('a timeout policy', () => {
  test.each([
    [{ '': { protocol: 'tcp' } }, 'a name of 1 to 31 bytes'],
    [{ a: { protocol: 'foo' } }, "there is no protocol 'foo'"],
    [
      { a: { protocol: 'udp', established: 5 } },
      "udp has no timeout 'established': expected one of unreplied, replied",
    ],
    [{ a: { protocol: 'tcp', none: 5 } }, "tcp has no timeout 'none'"],
    [{ a: { protocol: 'tcp', close: -1 } }, 'close: -1: expected seconds'],
    [{ a: { protocol: 'tcp', close: 1.5 } }, 'close: 1.5: expected seconds'],
  ])('is refused where it cannot be: %j', (policies, message) => {
    expect(() => made(policies as unknown as Record<string, TimeoutPolicy>)).toThrow(message)
  })

  test('is found by name, for its own protocol', () => {
    const timeouts = made({
      slow: { protocol: 'tcp', established: 100 },
      rest: { protocol: 'generic', timeout: 7 },
      stream: { protocol: 'sctp', cookie_wait: 5 },
    })
    expect(timeouts.find('slow', 6)).toBeGreaterThan(0)
    expect(timeouts.find('slow', 17)).toBe(-1)
    expect(timeouts.find('fast', 6)).toBe(0)
    // Generic policies are for protocols without a tracker of their own.
    expect(timeouts.find('rest', 50)).toBeGreaterThan(0)
    expect(timeouts.find('rest', 6)).toBe(-1)
    expect(timeouts.find('stream', 132)).toBeGreaterThan(0)
  })

  test('says what it says, and for the rest the sysctls hold', () => {
    const extensions = new Extensions(10)
    const sysctl = sysctls({ 'net.netfilter.nf_conntrack_udp_timeout': 11 })
    const timeouts = new Timeouts(sysctl, extensions, { long: { protocol: 'udp', replied: 500 } })
    const udp = timeouts.for('udp')
    expect([...udp.of(3)]).toEqual([11_000, 120_000])
    const extras = extensions.extra()
    extras[3 * EXTRA_WORDS + POLICY] = timeouts.find('long', 17)
    expect([...udp.of(3)]).toEqual([11_000, 500_000])
    expect([...udp.of(4)]).toEqual([11_000, 120_000])
  })
})
