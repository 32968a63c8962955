// What `tunfilter bench` counts and finds, on rule sets small enough to know it beforehand.

import { expect, test } from 'vitest'
import { costOf } from '../../src/cost/cost.ts'
import { countRules, grown } from '../../src/cost/grown.ts'
import { costPage } from '../../src/cost/page.ts'
import { printCost } from '../../src/cost/print.ts'
import type { Traffic } from '../../src/cost/rounds.ts'
import { inventRouter } from '../../src/cost/router.ts'
import { drawFlows, type Flow } from '../../src/cost/traffic.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { parseStrict } from '../../src/rule/address.ts'

const MIX = { tcp: 70, udp: 25, icmp: 5 }
const filter = (...lines: string[]) => parse(`*filter\n${lines.join('\n')}\nCOMMIT\n`)
const parse = (text: string) => parseRestore(text, { file: 'rules', family: 4 })
const address = (text: string) => parseStrict(text, text.includes(':') ? 6 : 4) as readonly number[]

const CONFIG = {
  devices: { lan: { addresses: ['10.0.1.1/24'] }, wan: { addresses: ['203.0.113.1/24'] } },
  routes: [{ to: 'default', dev: 'wan' }],
}
const fromLan = (protocol: number, dport: number, destination = '198.51.100.7'): Flow => ({
  device: 'lan',
  source: address('10.0.1.9'),
  destination: address(destination),
  protocol,
  sport: 40_000 + dport,
  dport,
})

function cost(rules: ReturnType<typeof parse>, flows: readonly Flow[], more: { scale?: boolean } = {}) {
  const traffic: Traffic = { kind: 'flows', flows }
  const options = { config: CONFIG, traffic, seconds: 0, scale: false, progress: () => {}, ...more }
  return costOf([{ name: 'rules', rules }], options)
}

test('counts what becomes of every packet, the handshake and both ways of a flow among them', async () => {
  const rules = filter(
    '-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT',
    '-A FORWARD -p tcp --dport 22 -j DROP',
    '-A FORWARD -p tcp --dport 23 -j REJECT',
    '-A INPUT -p udp -j DROP',
  )
  const flows = [fromLan(6, 80), fromLan(17, 53), fromLan(6, 22), fromLan(6, 23), fromLan(1, 0, '10.0.1.1')]
  const { traffic, subjects } = await cost(rules, flows)
  // TCP: three packets of the handshake and one each way; UDP: one each way, and again; two drops; an echo, twice.
  expect(subjects[0].outcome).toEqual({
    packets: 5 + 4 + 1 + 1 + 2,
    forwarded: 9,
    answered: 3,
    delivered: 0,
    dropped: 1,
    held: 0,
    reasons: { netfilter: 2 },
  })
  expect(traffic).toMatchObject({ kind: 'flows', flows: 5, established: 2 + 2 + 1 })
})

test('counts rules tested as iptables walks them, by hook and by chain', async () => {
  const rules = filter(
    ':WEB -',
    '-A FORWARD -p udp -j DROP',
    '-A FORWARD -j WEB',
    '-A FORWARD',
    '-A INPUT -j WEB',
    '-A WEB -p tcp -j ACCEPT',
  )
  const { subjects } = await cost(rules, [fromLan(17, 53), fromLan(6, 80), fromLan(1, 0, '10.0.1.1')])
  const chain = (hook: string, name: string) => {
    const { packets, tests } = subjects[0].chains.find((of) => of.hook === hook && of.chain === name) ?? {}
    return { packets, tests }
  }
  // One datagram meets one rule; five segments meet two in FORWARD and one in WEB; the echo comes twice.
  expect(chain('FORWARD', 'FORWARD')).toEqual({ packets: 6, tests: 1 + 5 * 2 })
  expect(chain('FORWARD', 'WEB')).toEqual({ packets: 5, tests: 5 })
  expect(chain('INPUT', 'WEB')).toEqual({ packets: 2, tests: 2 })
  const asked = subjects[0].hooks.filter(({ tests }) => tests > 0)
  expect(asked.map(({ hook, packets, tests }) => [hook, packets, tests])).toEqual([
    ['INPUT', 2, 4],
    ['FORWARD', 6, 16],
  ])
  expect(subjects[0].hooks.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1)
})

test('tells where the time of packets goes, by hook, by what stands there, and by chain', async () => {
  const rules = parse(
    `*nat
-A POSTROUTING -o wan -j MASQUERADE
COMMIT
*filter
:WEB -
-A FORWARD -p tcp -j WEB
-A FORWARD -p tcp -j ACCEPT
-A WEB -m length --length 1:9000
COMMIT
`,
  )
  const { subjects } = await cost(rules, [fromLan(6, 80), fromLan(17, 53)])
  const [{ hooks, chains, elsewhere }] = subjects
  expect(hooks.map(({ hook, steps }) => `${hook}: ${steps.map(({ step }) => step).join(' ')}`)).toEqual([
    'PREROUTING: defrag conntrack nat',
    'FORWARD: ',
    'POSTROUTING: nat confirm',
  ])
  for (const at of [...hooks, ...chains, { spent: elsewhere }]) expect(at.spent.new).toBeGreaterThan(0)
  const spent = (hook: string) => hooks.find((of) => of.hook === hook)?.spent.established
  // Datagrams are on a known way, which comes by conntrack only; TCP's are not, because a rule looks at each packet's length.
  expect(spent('PREROUTING')).toBeGreaterThan(0)
  expect(spent('FORWARD')).toBeGreaterThan(0)
  expect(elsewhere.established).toBeGreaterThan(0)
})

test('finds the hottest rules, those that never matched and those that are shadowed', async () => {
  const rules = filter(
    '-A FORWARD -s 192.0.2.1 -j DROP',
    '-A FORWARD -p tcp -j ACCEPT',
    '-A FORWARD -p tcp --dport 80 -j DROP',
    '-A FORWARD -p udp -j DROP',
  )
  const { subjects } = await cost(rules, [fromLan(6, 80), fromLan(17, 53)])
  const [{ hottest, dead, shadowed }] = subjects
  expect(hottest.map(({ number, packets }) => [number, packets])).toEqual([
    [2, 5],
    [4, 1],
  ])
  expect(hottest[0]).toMatchObject({ table: 'filter', chain: 'FORWARD', text: '-A FORWARD -p tcp -j ACCEPT' })
  expect(dead.map(({ number }) => number)).toEqual([1, 3])
  expect(shadowed.map(({ number, by }) => [number, by])).toEqual([[3, 2]])
})

test('masqueraded and redirected flows are answered by what left', async () => {
  const rules = parse(
    '*nat\n-A PREROUTING -i wan -p tcp --dport 8080 -j DNAT --to-destination 10.0.1.9:80\n-A POSTROUTING -o wan -j MASQUERADE\nCOMMIT\n',
  )
  const inwards: Flow = {
    device: 'wan',
    source: address('198.51.100.7'),
    destination: address('203.0.113.1'),
    protocol: 6,
    sport: 5000,
    dport: 8080,
  }
  const { traffic, subjects } = await cost(rules, [fromLan(6, 80), fromLan(17, 53), fromLan(1, 0), inwards])
  expect(traffic.established).toBe(8)
  expect(subjects[0].outcome.forwarded).toBe(5 + 4 + 4 + 5)
})

test('--scale measures 10 and 100 times the rules, which decide the same', async () => {
  const rules = filter('-A FORWARD -p tcp --dport 22 -j DROP', '-A FORWARD ! -s 10.0.0.0/8 -j DROP')
  expect(countRules(grown(rules, 10))).toBe(20)
  const flows = [fromLan(6, 22), fromLan(6, 80)]
  const { subjects } = await cost(rules, flows, { scale: true })
  expect(subjects[0].scaled.map((one) => [one.times, 'rules' in one && one.rules])).toEqual([
    [10, 20],
    [100, 200],
  ])
  const [many] = (await cost(grown(rules, 10), flows)).subjects
  expect(many.outcome).toEqual(subjects[0].outcome)
  expect(many.dead).toHaveLength(18)
})

test('a router is made of the devices that rules name, the masquerading one last', () => {
  const rules = parse(
    '*nat\n-A POSTROUTING -o ppp0 -j MASQUERADE\nCOMMIT\n*filter\n-A FORWARD -i ppp0 -o br+ -j DROP\n-A INPUT -s 172.16.0.0/12 -i vpn -j ACCEPT\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n',
  )
  const { devices, routes } = inventRouter([rules])
  expect(Object.keys(devices)).toEqual(['vpn', 'br0', 'ppp0'])
  expect(routes).toEqual([
    { to: '172.16.0.0/12', dev: 'vpn' },
    { to: 'default', dev: 'ppp0' },
  ])
  expect(Object.keys(inventRouter([filter('-A FORWARD -j DROP')]).devices)).toEqual(['eth0', 'eth1'])
})

test('flows are drawn from what rules name, in the shares of the mix, and the same every time', () => {
  const rules = filter('-A FORWARD -i lan -s 10.0.1.5 -p tcp --dport 4711 -j ACCEPT')
  const flows = drawFlows(500, MIX, CONFIG, [rules])
  expect(flows).toHaveLength(500)
  expect(drawFlows(500, MIX, CONFIG, [rules])).toEqual(flows)
  const tcp = flows.filter(({ protocol }) => protocol === 6)
  expect(tcp.length).toBeGreaterThan(300)
  const aimed = tcp.filter(({ source, dport }) => source[0] === address('10.0.1.5')[0] && dport === 4711)
  expect(aimed.length).toBeGreaterThan(tcp.length / 2)
  expect(aimed.every(({ device }) => device === 'lan')).toBe(true)
  expect(drawFlows(50, { tcp: 0, udp: 1, icmp: 0 }, CONFIG, [rules]).every(({ protocol }) => protocol === 17)).toBe(
    true,
  )
})

test('the page needs nothing from elsewhere and shows names as they are', async () => {
  const rules = filter('-A FORWARD -m comment --comment "<b>" -j ACCEPT')
  const report = await cost(rules, [fromLan(6, 80)])
  const page = costPage(report)
  expect(page).toContain('<svg')
  expect(page).toContain('&#60;b&#62;')
  expect(page).not.toMatch(/<b>|https?:|src=|<link/)
  expect(printCost(report)).toMatch(/^rules: 1 rule; 1 flow, 5 packets\n/)
})

test('rules of IPv6 are measured with packets of IPv6: handshakes, both ways of a flow, echoes, NAT', async () => {
  const rules = parseRestore(
    `*nat
-A PREROUTING -i wan -p tcp --dport 8080 -j DNAT --to-destination [fd00:1::9]:80
-A POSTROUTING -o wan -j MASQUERADE
COMMIT
*filter
-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A FORWARD -d 2001:db8:7::/48 -p tcp --dport 22 -j DROP
-A FORWARD -d 2001:db8:7:1::1/128 -p tcp --dport 22 -j ACCEPT
-A FORWARD -p tcp --dport 23 -j REJECT
COMMIT
`,
    { file: 'rules', family: 6 },
  )
  const config = {
    devices: { lan: { addresses: ['fd00:1::1/64'] }, wan: { addresses: ['2001:db8:1::1/64'] } },
    routes: [{ to: '::/0', dev: 'wan' }],
  }
  const from = (protocol: number, dport: number, destination = '2001:db8:7::7'): Flow => ({
    device: 'lan',
    source: address('fd00:1::9'),
    destination: address(destination),
    protocol,
    sport: 40_000 + dport,
    dport,
  })
  const inwards = { ...from(6, 8080, '2001:db8:1::1'), device: 'wan', source: address('2001:db8:9::9') }
  const flows = [from(6, 80), from(17, 53), from(6, 22), from(6, 23), from(58, 0), from(58, 0, 'fd00:1::1'), inwards]
  const options = { config, traffic: { kind: 'flows', flows } as const, seconds: 0, scale: false, progress: () => {} }
  const { traffic, subjects } = await costOf([{ name: 'rules', rules }], options)
  const [{ outcome, shadowed, dead }] = subjects
  expect(outcome).toMatchObject({ packets: 5 + 4 + 1 + 1 + 4 + 2 + 5, forwarded: 18, answered: 3, dropped: 1 })
  expect(traffic.established).toBe(2 + 2 + 2 + 1 + 2)
  expect(shadowed.map(({ number, by }) => [number, by])).toEqual([[3, 2]])
  expect(dead.map(({ number }) => number)).toEqual([3])
  expect(countRules(grown(rules, 10))).toBe(60)
})

test('a router is made of IPv6 rules, and flows that meet them', () => {
  const rules = parseRestore(
    '*filter\n-A FORWARD -i lan -s fd00:5::/64 -o ppp0 -p udp --dport 4711 -j ACCEPT\n-A INPUT -d fd00:5::1 -j ACCEPT\nCOMMIT\n',
    { file: 'rules', family: 6 },
  )
  const config = inventRouter([rules])
  expect(config).toEqual({
    devices: {
      lan: { addresses: ['fd00:201:0::1/64'] },
      ppp0: { addresses: ['fd00:201:1::1/64', 'fd00:5::1/128'] },
    },
    routes: [
      { to: 'fd00:5::/64', dev: 'lan' },
      { to: '::/0', dev: 'ppp0' },
    ],
  })
  const flows = drawFlows(200, { tcp: 0, udp: 100, icmp: 0 }, config, [rules])
  const aimed = flows.filter(({ source, dport }) => source[0] === address('fd00:5::')[0] && dport === 4711)
  expect(aimed.length).toBeGreaterThan(50)
  expect(flows.every(({ source, destination }) => source.length === 4 && destination.length === 4)).toBe(true)
})
