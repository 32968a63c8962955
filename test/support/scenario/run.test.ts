// What runs the scenarios, against a subject that does exactly what it is told: a scenario must fail when anything differs.

import { describe, expect, test } from 'vitest'
import { packetsOf } from '../packet/index.ts'
import { disagreementText, runScenario } from './run.ts'
import { parseScenario } from './scenario.ts'
import type { Subject } from './subject.ts'

const HEAD = `what: a test
config:
  devices:
    tun0: { addresses: [10.0.1.1/24] }
    tun1: { addresses: [203.0.113.1/24] }
rules: ""
steps:
`
const IN = '  - in tun0: udp 10.0.1.2:1000 > 203.0.113.9:53 len 5\n'
const OUT = '  - out tun1: udp 203.0.113.1:$p[1024-65535] > 203.0.113.9:53 len 5 ttl 63\n'

function subject(
  answers: Record<string, string[]>[],
  texts: Partial<Record<'counters' | 'conntrack' | 'log', string>> = {},
) {
  const given: string[] = []
  const fake: Subject = {
    slack: 1,
    ip: () => {},
    load: () => {},
    exchange: (device, packets) => {
      given.push(`${device} ${packets.length}`)
      return new Map(Object.entries(answers.shift() ?? {}).map(([name, lines]) => [name, lines.flatMap(packetsOf)]))
    },
    pause: (milliseconds) => {
      given.push(`pause ${milliseconds}`)
    },
    counters: () => texts.counters ?? '',
    conntrack: () => texts.conntrack ?? '',
    log: () => (texts.log ?? '').split('\n').filter(Boolean),
    close: () => {},
  }
  return { fake, given }
}

async function run(steps: string, ...given: Parameters<typeof subject>): Promise<string> {
  return disagreementText(await runScenario(parseScenario(HEAD + steps, 'test.yaml'), subject(...given).fake))
}

const good = 'udp 203.0.113.1:2000 > 203.0.113.9:53 len 5 ttl 63'

describe('a scenario', () => {
  test('agrees when every packet is as expected', async () => {
    expect(await run(IN + OUT, [{ tun1: [good] }])).toBe('')
  })

  test.each([
    [
      'a field differs',
      [{ tun1: [good.replace('ttl 63', 'ttl 64')] }],
      `got      out tun1: ${good.replace(' ttl 63', '')}`,
    ],
    [
      'a port is outside its range',
      [{ tun1: [good.replace('2000', '200')] }],
      'got      out tun1: udp 203.0.113.1:200 >',
    ],
    ['a checksum differs', [{ tun1: [`${good} sum bad`] }], 'sum bad'],
    ['a packet is missing', [{}], 'got      nothing'],
    ['a packet is too many', [{ tun1: [good, good] }], 'expected nothing\n  got      out tun1: udp'],
    ['a packet leaves elsewhere', [{ tun0: [good] }], 'got      out tun0: udp'],
  ])('disagrees when %s', async (_, answers, text) => {
    expect(await run(IN + OUT, answers as Record<string, string[]>[])).toContain(text)
  })

  test('disagrees when something comes out where nothing is expected', async () => {
    expect(await run(`${IN}  - out: nothing\n`, [{ tun0: [good] }])).toContain('expected nothing')
    expect(await run(`${IN}  - out: nothing\n`, [{}])).toBe('')
  })

  test('uses a bound place-holder in what it sends and in texts', async () => {
    const steps = `${IN}${OUT}  - in tun1: udp 203.0.113.9:53 > 203.0.113.1:$p\n  - out: nothing\n`
    const conntrack = (port: number) => ({ conntrack: `ipv4 2 udp 17 29 dport=${port} use=1` })
    const answers = (): Record<string, string[]>[] => [{ tun1: [good] }, {}]
    expect(await run(`${steps}conntrack: ipv4 2 udp 17 30 dport=$p use=1\n`, answers(), conntrack(2000))).toBe('')
    expect(await run(`${steps}conntrack: ipv4 2 udp 17 30 dport=$p use=1\n`, answers(), conntrack(2001))).toContain(
      'dport=2001',
    )
  })

  test('allows a timeout to be a second shorter and no more', async () => {
    const steps = `${IN}  - out: nothing\nconntrack: ipv4 2 udp 17 30 src=1.2.3.4 use=1\n`
    const flow = (seconds: number) => ({ conntrack: `ipv4     2 udp      17 ${seconds} src=1.2.3.4 use=2\n` })
    expect(await run(steps, [{}], flow(30))).toBe('')
    expect(await run(steps, [{}], flow(29))).toBe('')
    expect(await run(steps, [{}], flow(28))).toContain('17 28')
    expect(await run(steps, [{}], flow(31))).toContain('17 31')
    expect(await run(steps, [{}])).toContain('got      nothing')
  })

  test('compares the counters of the tables that it names', async () => {
    const steps = `${IN}  - out: nothing\ncounters: |\n  *filter\n  :INPUT ACCEPT [0:0]\n  COMMIT\n`
    const raw = '*raw\n:PREROUTING ACCEPT [7:7]\nCOMMIT\n'
    expect(await run(steps, [{}], { counters: `# comment\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n${raw}` })).toBe('')
    expect(await run(steps, [{}], { counters: `*filter\n:INPUT ACCEPT [1:0]\nCOMMIT\n${raw}` })).toContain('[1:0]')
    expect(await run(steps, [{}], { counters: raw })).toContain('got      nothing')
  })

  test('compares log lines in order, $any standing for one word', async () => {
    const steps = `${IN}  - out: nothing\nlog: |\n  a ID=$any B\n  c\n`
    expect(await run(steps, [{}], { log: 'a ID=77 B \nc ' })).toBe('')
    expect(await run(steps, [{}], { log: 'a ID=7 7 B\nc' })).toContain('got      a ID=7 7 B')
    expect(await run(steps, [{}], { log: 'c\na ID=77 B' })).toContain('expected')
  })

  test.each([
    [`${IN}`, 'test.yaml:8: say what comes out'],
    ['  - out tun1: raw 45\n', 'test.yaml:8: an "out" follows its "in"'],
    ['  - in tun7: raw 45\n', 'config has no device "tun7"'],
    ['  - in tun0: udp 1.2.3.4\n', 'test.yaml:8: ">" was expected'],
    ['  - wait: 5s\n', '"wait" is not a step'],
    ['  - pause: 5\n', 'a text was expected'],
    ['  - pause: 5m\n', '"5m" is not a time'],
    [`${IN}  - out: nothing\nlogs: x\n`, 'test.yaml:10: "logs" is not known'],
    [`${IN}  - out: nothing\ncounters: ""\n`, 'say what is expected, or "nothing"'],
  ])('with a mistake is refused with its line: %j', (steps, message) => {
    expect(() => parseScenario(HEAD + steps, 'test.yaml')).toThrow(message)
  })

  test('sends packets as often as it says, and pauses', async () => {
    const { fake, given } = subject([])
    const steps =
      '  - in tun0: 3 x raw 45\n  - out: nothing\n  - pause: 1.5s\n  - in tun1: [raw 45, raw 46]\n  - out: nothing\n'
    await runScenario(parseScenario(HEAD + steps, 'test.yaml'), fake)
    expect(given).toEqual(['tun0 3', 'pause 1500', 'tun1 2'])
  })
})
