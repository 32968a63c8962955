import { describe, expect, test } from 'vitest'
import { int32, udpPacket } from '../conntrack/bytes.ts'
import { matchOf, packetOf, surrounding } from './rule-under-test.ts'

const packet = () => packetOf(udpPacket({ source: '10.0.0.1', destination: '10.0.0.2', sport: 1000, dport: 53 }))

describe('limit', () => {
  function limited(options: string) {
    const around = surrounding()
    around.time.set(1_000_000)
    const match = matchOf(`-m limit ${options}`, around.env)
    const p = packet()
    return {
      burst: (packets: number) => Array.from({ length: packets }, () => match(p)).reduce((a, b) => a + b),
      wait: (milliseconds: number) => around.time.set(around.time.wall + milliseconds),
    }
  }

  test('begins with its burst', () => {
    expect(limited('--limit 1/hour').burst(10)).toBe(5)
    expect(limited('--limit 1/hour --limit-burst 3').burst(10)).toBe(3)
  })

  test('refills one packet a period, to the millisecond, and never above the burst', () => {
    const { burst, wait } = limited('--limit 5/sec')
    burst(10)
    wait(199)
    expect(burst(2)).toBe(0)
    wait(1)
    expect(burst(2)).toBe(1)
    wait(450)
    expect(burst(9)).toBe(2)
    wait(50)
    expect(burst(9)).toBe(0)
    wait(100)
    expect(burst(9)).toBe(1)
    wait(3_600_000)
    expect(burst(99)).toBe(5)
  })

  test('a burst that overflows 32 bits is what is left of it, or refused where that is less than one packet', () => {
    // 40 hours are 32 bits of credit and 2.7 packets more.
    const { burst, wait } = limited('--limit 1/hour --limit-burst 40')
    expect(burst(20)).toBe(2)
    wait(3_600_000)
    expect(burst(20)).toBe(1)
    expect(() => limited('--limit 1/day')).toThrow('so slow a rate has no burst of 5')
    expect(() => limited('--limit 1/hour --limit-burst 38')).toThrow('so slow a rate has no burst of 38')
  })

  test('counts slow rates by whole seconds', () => {
    // A packet each 51.428 s.
    const { burst, wait } = limited('--limit 70/hour --limit-burst 1')
    expect(burst(2)).toBe(1)
    wait(50_999)
    expect(burst(1)).toBe(0)
    wait(1)
    expect(burst(2)).toBe(1)
  })

  test('gives nothing for a clock that was set back', () => {
    const { burst, wait } = limited('--limit 1/sec')
    burst(10)
    wait(-5000)
    expect(burst(1)).toBe(0)
    wait(1000)
    expect(burst(2)).toBe(1)
  })

  test('counts for each rule alone', () => {
    const { env } = surrounding()
    const [a, b] = [matchOf('-m limit --limit-burst 1', env), matchOf('-m limit --limit-burst 1', env)]
    expect([a(packet()), a(packet()), b(packet())]).toEqual([1, 0, 1])
  })
})

describe('mark', () => {
  test.each([
    [0x1ff, '--mark 0x1ff', 1],
    [0x1ff, '--mark 0xff/0xff', 1],
    [0x1ff, '! --mark 0xff/0xff', 0],
    [0x1ff, '--mark 0x1ff/0xff', 0],
    [-1, '--mark 0xffffffff', 1],
    [-1, '--mark 0x80000000/0x80000000', 1],
    [7, '--mark 0/0', 1],
  ])('%d against %s', (mark, options, expected) => {
    expect(matchOf(`-m mark ${options}`)(Object.assign(packet(), { mark }))).toBe(expected)
  })
})

describe('addrtype', () => {
  const LOCAL = 2
  const BROADCAST = 3
  const ask = (options: string, types: [string, number][] = []) => {
    const around = surrounding()
    for (const [where, type] of types) around.types.set(where, type)
    return matchOf(`-m addrtype ${options}`, around.env)(packet())
  }
  const source = `${int32('10.0.0.1')}`
  const destination = `${int32('10.0.0.2')}`

  test('asks for source and destination, each with its own negation', () => {
    expect(ask('--src-type UNICAST')).toBe(1)
    expect(ask('--dst-type LOCAL', [[`${destination}@0`, LOCAL]])).toBe(1)
    expect(ask('! --dst-type LOCAL', [[`${destination}@0`, LOCAL]])).toBe(0)
    expect(ask('--src-type LOCAL,BROADCAST', [[`${source}@0`, BROADCAST]])).toBe(1)
    expect(ask('--src-type UNICAST ! --dst-type UNICAST')).toBe(0)
    expect(ask('! --src-type LOCAL --dst-type LOCAL')).toBe(0)
  })

  test('asks one device alone when it is told to', () => {
    expect(ask('--dst-type LOCAL --limit-iface-in', [[`${destination}@2`, LOCAL]])).toBe(1)
    expect(ask('--dst-type LOCAL --limit-iface-out', [[`${destination}@2`, LOCAL]])).toBe(0)
    expect(ask('--dst-type LOCAL --limit-iface-out', [[`${destination}@3`, LOCAL]])).toBe(1)
  })
})

test('a comment matches every packet', () => {
  expect(matchOf('-m comment --comment "no packet"')(packet())).toBe(1)
})
