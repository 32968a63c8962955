import { expect, it } from 'vitest'
import { IcmpCredit, IcmpRate } from '../../src/local/rate.ts'
import { sysctls } from '../../src/sysctl.ts'
import { Time } from '../../src/time.ts'
import * as icmp from '../../src/wire/icmp.ts'

function rate(sysctl: Record<string, number> = {}) {
  const time = new Time()
  time.set(1_700_000_000_000)
  const made = new IcmpRate(time, sysctls(sysctl), new IcmpCredit(time, sysctls(sysctl)))
  const burst = (n: number, ask: (i: number) => boolean) =>
    Array.from({ length: n }, (_, i) => ask(i)).filter(Boolean).length
  return {
    made,
    burst,
    errors: (n: number, to = 1) => burst(n, () => made.allow(to, icmp.TIME_EXCEEDED, 0)),
    pause: (ms: number) => time.set(time.wall + ms),
  }
}

it('one destination gets six at once and then one a second, up to six again', () => {
  const r = rate()
  expect(r.errors(10)).toBe(6)
  r.pause(999)
  expect(r.errors(10)).toBe(0)
  r.pause(1)
  expect(r.errors(10)).toBe(1)
  r.pause(2500)
  expect(r.errors(10)).toBe(2)
  r.pause(500)
  expect(r.errors(10)).toBe(1)
  r.pause(3_600_000)
  expect(r.errors(10)).toBe(6)
})

it('each destination has its own', () => {
  const r = rate()
  expect([r.errors(10, 1), r.errors(10, 2), r.errors(10, -1)]).toEqual([6, 6, 6])
})

it('what is not in the mask is not limited, nor is fragmentation needed', () => {
  const r = rate()
  expect(r.burst(50, () => r.made.allow(1, icmp.ECHO_REPLY, 0))).toBe(50)
  expect(r.burst(50, () => r.made.allow(1, icmp.DEST_UNREACHABLE, icmp.FRAGMENTATION_NEEDED))).toBe(50)
  expect(r.burst(50, () => r.made.allow(1, icmp.DEST_UNREACHABLE, icmp.PORT_UNREACHABLE))).toBe(6)
  const replies = rate({ 'net.ipv4.icmp_ratemask': 1 })
  expect(replies.burst(50, () => replies.made.allow(1, icmp.ECHO_REPLY, 0))).toBe(6)
})

it('icmp_ratelimit is the pause between two, 0 for none', () => {
  const fast = rate({ 'net.ipv4.icmp_ratelimit': 10 })
  expect(fast.errors(20)).toBe(6)
  fast.pause(10)
  expect(fast.errors(20)).toBe(1)
  expect(rate({ 'net.ipv4.icmp_ratelimit': 0, 'net.ipv4.icmp_msgs_burst': 1000 }).errors(100)).toBe(100)
})

it('all together get so many a second, whoever they are', () => {
  const r = rate({ 'net.ipv4.icmp_msgs_per_sec': 100, 'net.ipv4.icmp_msgs_burst': 5 })
  const different = (n: number, from: number) => r.burst(n, (i) => r.made.allow(from + i, icmp.TIME_EXCEEDED, 0))
  expect(different(50, 100)).toBe(5)
  r.pause(20)
  expect(different(50, 200)).toBe(2)
  r.pause(10_000)
  expect(different(50, 300)).toBe(5)
})

it('of errors about routes there are two at once, since each pays twice (measured)', () => {
  const r = rate()
  const ask = () => r.made.allowRouteError(1) && r.made.allow(1, icmp.DEST_UNREACHABLE, icmp.NET_UNREACHABLE)
  expect(r.burst(10, ask)).toBe(2)
})

it('redirects back off, end after nine, and begin anew after a silence', () => {
  const r = rate()
  let sent = 0
  for (let ms = 0; ms < 20_000; ms += 5) {
    if (r.made.allowRedirect(1)) sent++
    r.pause(5)
  }
  expect(sent).toBe(9)
  r.pause(20_481)
  expect(r.made.allowRedirect(1)).toBe(true)
  expect(r.made.allowRedirect(1)).toBe(false)
})

it('remembers a bounded number of destinations', () => {
  const r = rate({ 'net.ipv4.icmp_msgs_burst': 1_000_000 })
  r.errors(6, 0)
  expect(r.errors(1, 0)).toBe(0)
  for (let i = 1; i <= 5000; i++) r.errors(1, i)
  // Forgotten, so it begins with a full bucket.
  expect(r.errors(10, 0)).toBe(6)
})
