// Three ways through the same rules: one by one (the interpreter, which is what iptables means), with indexes, and by what was
// decided for a flow before. Two routers that differ in this alone get the same rules, packets and changes of rules, and have
// to send the same packets, log the same lines, and count the same for every rule and policy.

import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { parseRestore } from '../../src/iptables/restore.ts'
import { Program } from '../../src/rule/program.ts'
import { TABLES_MAX, VerdictMemory } from '../../src/rule/verdict-memory.ts'
import { Router } from '../engine/router.ts'
import '../support/seed.ts'

const { constantFrom: one, tuple, array, nat, oneof, record } = fc
const words = (...parts: fc.Arbitrary<string>[]) =>
  tuple(...parts).map((list) => list.filter((w) => w !== '').join(' '))

// Few values, so that rules and packets meet.
const not = one('', '', '', '! ')
const inside = one('10.0.1.2', '10.0.1.3', '10.0.1.77', '10.0.7.9')
const outside = one('203.0.113.254', '198.51.100.7', '198.51.100.8', '192.0.2.1')
const network = oneof(
  inside,
  outside,
  one('10.0.0.0/8', '10.0.1.0/24', '198.51.100.0/29', '0.0.0.0/1', '203.0.113.0/255.255.0.255', '192.0.2.0/28'),
)
const port = one('53', '80', '443', '1000', '2000')
const ports = oneof(
  port,
  one('50:90', '1000:1023', '1:65535', '0:65535', '2000:1000').filter((p) => p !== '2000:1000'),
)
const states = fc
  .subarray(['INVALID', 'NEW', 'ESTABLISHED', 'RELATED', 'UNTRACKED'], { minLength: 1 })
  .map((some) => some.join(','))
const mark = one('0x1', '0x2/0x3', '0x0/0x1', '0x10')

const address = words(
  oneof(
    one(''),
    tuple(not, network).map(([n, a]) => `${n}-s ${a}`),
  ),
  oneof(
    one(''),
    tuple(not, network).map(([n, a]) => `${n}-d ${a}`),
  ),
)
const device = oneof(one('', '', '-i lan', '-i wan', '! -i lan', '-o wan', '-i l+', '! -o wan', '-i nosuch'))
const l4 = oneof(
  one('', '', '-p tcp', '-p udp', '! -p udp', '-p icmp', '-p icmp -m icmp --icmp-type 8'),
  tuple(one('tcp', 'udp'), not, ports).map(([l, n, p]) => `-p ${l} -m ${l} ${p === '0:65535' ? '' : n}--dport ${p}`),
  tuple(one('tcp', 'udp'), ports).map(([l, p]) => `-p ${l} -m ${l} --sport ${p}`),
  one('-p tcp -m tcp --tcp-flags SYN,ACK SYN', '-p tcp -m tcp --tcp-option 2', '-p tcp -m tcp ! --syn'),
  tuple(one('tcp', 'udp'), not, one('dports', 'sports', 'ports'), one('53,80', '80,1000:1010', '443')).map(
    ([l, n, w, p]) => `-p ${l} -m multiport ${n}--${w} ${p}`,
  ),
)
const match = oneof(
  one('', '', '', '-m comment --comment x'),
  tuple(not, states).map(([n, s]) => `-m conntrack ${n}--ctstate ${s}`),
  tuple(not, mark).map(([n, m]) => `-m mark ${n}--mark ${m}`),
  one('-m conntrack --ctstate DNAT', '-m conntrack --ctdir REPLY', '-m conntrack --ctstatus ASSURED'),
  one('-m length --length 20:40', '-m ttl --ttl-lt 40', '-m iprange --src-range 10.0.1.2-10.0.1.5'),
  // What remembers packets is asked for exactly those that come to it.
  one('-m limit --limit 1/s --limit-burst 3', '-m quota --quota 400', '-m statistic --mode nth --every 3 --packet 0'),
  one('-m recent --set --name a', '-m recent --rcheck --name a --hitcount 2', '-m connmark --mark 0x5'),
  one('-m statistic --mode random --probability 0.5', '-m hashlimit --hashlimit-upto 2/s --hashlimit-name h'),
  one('-m addrtype --dst-type LOCAL', '-m string --algo bm --string x', '-f', '! -f'),
)
const chain = nat(3).map((n) => `c${n}`)
const target = (table: string) =>
  oneof(
    one('', '', '-j ACCEPT', '-j RETURN', '-j DROP', '-j LOG --log-prefix x'),
    chain.map((c) => `-j ${c}`),
    chain.map((c) => `-g ${c}`),
    table === 'mangle'
      ? one(
          '-j MARK --set-mark 0x1',
          '-j MARK --xor-mark 0x3',
          '-j CONNMARK --set-mark 0x5',
          '-j CONNMARK --restore-mark',
        )
      : one('', '-j REJECT'),
  )

/** A rule that packets of this test meet in the end, or none at all: most of what a long chain has. */
const rare = oneof(
  tuple(nat(255), nat(3), one('80', '53', '9')).map(
    ([n, c, p]) => `-s 172.16.${c}.${n} -p tcp -m tcp --dport ${p} -j c${c}`,
  ),
  tuple(nat(60), nat(3)).map(([n, c]) => `-p udp -m udp --dport ${n} -j c${c}`),
  tuple(nat(7), one('', '-j DROP', '-j RETURN')).map(([n, t]) => `-m mark --mark 0x${n} ${t}`),
)
/** What is common enough to change something. */
const common = one(
  '-j DROP',
  '-p udp',
  '-p udp -m conntrack --ctstate ESTABLISHED',
  '-s 10.0.1.2 -j ACCEPT',
  '-o lan -j DROP',
  '-m mark --mark 0x1',
)
/** -f may stand once. */
const rule = (table: string) =>
  words(address, device, l4, match, match, target(table)).filter((text) => !/ -f .*-f( |$)/.test(` ${text}`))

interface Lines {
  readonly table: string
  readonly chain: string
  readonly rules: readonly string[]
}

/** Jumps lead to later chains only, so that there are no circles. */
const later = (from: number) => (text: string) =>
  text.replace(/-([jg]) c(\d)/, (_, how, to) => (Number(to) > from ? `-${how} c${to}` : '-j RETURN'))

const lines = (table: string, name: string, from: number): fc.Arbitrary<Lines> =>
  oneof(
    { weight: 2, arbitrary: array(rule(table), { maxLength: 6 }) },
    {
      weight: 3,
      arbitrary: array(
        oneof({ weight: 4, arbitrary: rare }, { weight: 2, arbitrary: rule(table) }, { weight: 1, arbitrary: common }),
        {
          minLength: 24,
          maxLength: 90,
        },
      ),
    },
    // Nothing but what is the same for every packet of a flow.
    {
      weight: 3,
      arbitrary: tuple(
        array(rare, { maxLength: 60 }),
        array(one('-p udp', '-m mark --mark 0x1', '-o wan -j ACCEPT', '-m mark ! --mark 0x1 -j RETURN'), {
          maxLength: 3,
        }),
      ).map((both) => both.flat()),
    },
  ).map((rules) => ({ table, chain: name, rules: rules.map(later(from)) }))

const tableOf = (table: string, builtin: readonly string[]) =>
  tuple(...builtin.map((name) => lines(table, name, -1)), ...[0, 1, 2, 3].map((n) => lines(table, `c${n}`, n)))

/** Rules that look only at what is the same for a flow's packets, and mostly let them pass: of such flows the whole way is known. */
const settled = words(
  oneof(one('', '', '-s 10.0.1.2', '-d 198.51.100.0/29', '-s 198.51.100.8', '! -s 10.0.1.3')),
  device,
  one('', '-p udp', '-p tcp -m tcp --dport 80', '-p udp -m udp --sport 53'),
  one('', '-m conntrack --ctstate ESTABLISHED', '-m conntrack ! --ctstate NEW', '-m mark --mark 0x1'),
  one('-j ACCEPT', '', '', '-j RETURN', '-j c1', '-j c2', '-g c3', '-s 10.0.1.77 -j DROP'),
).map((text) => (text.match(/-s /g)?.length === 2 ? '-j ACCEPT' : text))
const settledTable = (table: string, builtin: readonly string[]) =>
  tuple(
    ...[...builtin, 'c1', 'c2', 'c3'].map((name) =>
      array(settled, { maxLength: 4 }).map((all) => ({
        table,
        chain: name,
        rules: all.map(later(name.startsWith('c') ? Number(name[1]) : -1)),
      })),
    ),
  )

/** Rules that cannot stand where they are put are left out: those that no reader takes. */
const sets = tuple(tableOf('mangle', ['FORWARD', 'POSTROUTING']), tableOf('filter', ['INPUT', 'FORWARD']))
const settledSets = tuple(
  settledTable('mangle', ['PREROUTING', 'POSTROUTING']),
  settledTable('filter', ['INPUT', 'FORWARD']),
)

function textOf(tables: readonly (readonly Lines[])[], policy: string, marked: boolean): string {
  const one = (chains: readonly Lines[]) => {
    const table = chains[0]!.table
    const user = chains.filter(({ chain: name }) => name.startsWith('c')).map(({ chain: name }) => `:${name} - [0:0]`)
    const rules = chains.flatMap(({ chain: name, rules: each }) =>
      each.map((text) => `-A ${name} ${fitting(text, name)}`).filter((line) => isTaken(table, line)),
    )
    const policies = table === 'filter' ? [`:FORWARD ${policy} [0:0]`] : []
    // One packet of a flow has another mark than the next.
    if (table === 'mangle' && marked) rules.unshift('-A PREROUTING -m length --length 20:38 -j MARK --set-mark 0x1')
    return [`*${table}`, ...policies, ...user, ...rules, 'COMMIT', ''].join('\n')
  }
  return `*nat\n-A POSTROUTING -o wan -s 10.0.0.0/8 -j MASQUERADE\nCOMMIT\n${tables.map(one).join('')}`
}

function fitting(text: string, name: string): string {
  return name === 'PREROUTING' || name === 'INPUT' ? text.replace(/(! )?-o \S+ ?/, '') : text.replace(/REJECT$/, 'DROP')
}

const taken = new Map<string, boolean>()

function isTaken(table: string, line: string): boolean {
  let is = taken.get(`${table} ${line}`)
  if (is === undefined) {
    try {
      const chains = [0, 1, 2, 3].map((n) => `:c${n} - [0:0]\n`).join('')
      parseRestore(`*${table}\n${chains}${line}\nCOMMIT\n`, { file: 'rule', family: 4 })
      is = true
    } catch {
      is = false
    }
    taken.set(`${table} ${line}`, is)
  }
  return is
}

const packet = record({
  from: inside,
  to: outside,
  sport: one(1000, 2000, 40000),
  dport: one(53, 80, 443, 9),
  kind: one('udp', 'udp', 'udp', 'tcp', 'tcp', 'echo', 'cut', 'answer', 'answer', 'local'),
  flags: one('S', '.', 'P.', 'F.', 'R'),
  len: one(0, 5, 12, 30),
  ttl: one(64, 30),
  pause: one(0, 0, 0, 0, 0, 100, 1500, 200_000),
})
type Made = Readonly<
  Record<'from' | 'to' | 'kind' | 'flags', string> & Record<'sport' | 'dport' | 'len' | 'ttl' | 'pause', number>
>

/** Of few flows: there and back, again and again. */
const flowPacket = record({
  from: one('10.0.1.2', '10.0.1.3'),
  to: one('198.51.100.8'),
  sport: one(1000),
  dport: one(53, 80),
  kind: one('udp', 'udp', 'answer', 'answer', 'tcp', 'echo'),
  flags: one('S', '.'),
  len: one(5, 12, 30),
  ttl: one(64, 64, 64, 1, 2),
  pause: one(0, 0, 0, 0, 0, 0, 1500, 200_000),
})

/** How many packets were judged by what was decided before, and how many look-ups an index did: this test has to see some. */
const seen = { remembered: 0, known: 0, passedOver: 0 }

beforeAll(() => {
  const { find, way } = VerdictMemory.prototype
  VerdictMemory.prototype.find = function (...args) {
    const found = find.apply(this, args)
    if (found !== undefined) seen.remembered++
    return found
  }
  VerdictMemory.prototype.way = function (...args) {
    const known = way.apply(this, args)
    if (known !== undefined) seen.known++
    return known
  }
  return () => {
    Object.assign(VerdictMemory.prototype, { find, way })
  }
})

function send(router: Router, one: Made): string[] {
  if (one.pause > 0) router.pause(one.pause)
  const { from, to, sport, dport, ttl, len } = one
  switch (one.kind) {
    case 'udp':
      return router.send('lan', `udp ${from}:${sport} > ${to}:${dport} ttl ${ttl} len ${len}`)
    case 'tcp':
      return router.send('lan', `tcp ${from}:${sport} > ${to}:${dport} ${one.flags} ttl ${ttl} seq 1 len ${len}`)
    case 'echo':
      return router.send('lan', `icmp ${from} > ${to} echo-request id ${sport} seq 1 len ${len}`)
    case 'local':
      return router.send('lan', `icmp ${from} > 10.0.1.1 echo-request id ${sport} seq 1 len ${len}`)
    case 'cut':
      return router.send('lan', new Uint8Array([0x45, 0, 0, 22, 0, 1, 0, 0, 64, 17, ...cutRest(from, to), 0, 53]))
    case 'answer':
      return router.send('wan', `udp ${to}:${dport} > 203.0.113.1:${sport} len ${len}`)
    default:
      throw new Error(one.kind)
  }
}

/** Checksum and addresses of the header of a packet whose UDP header is cut off. */
function cutRest(from: string, to: string): number[] {
  const addresses = [...from.split('.'), ...to.split('.')].map(Number)
  const header = [0x45, 0, 0, 22, 0, 1, 0, 0, 64, 17, 0, 0, ...addresses]
  let sum = 0
  for (let i = 0; i < 20; i += 2) sum += (header[i]! << 8) | header[i + 1]!
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  const check = ~sum & 0xffff
  return [check >>> 8, check & 255, ...addresses]
}

/** Packets, and how rules change in between: when, where, which rule, and whether it comes, is replaced or goes. */
type Change = readonly [when: number, place: number, line: string, how: number]

function expectTheSame(text: string, packets: readonly Made[], changes: readonly Change[]): void {
  const plain = new Router(text, { interpretRules: true })
  const fast = new Router(text)
  for (const chains of fast.engine.program.tables.values())
    for (const each of chains.values()) if (each.index !== undefined) seen.passedOver++
  packets.forEach((each, i) => {
    for (const [when, place, line, how] of changes)
      if (when === i) for (const router of [plain, fast]) change(router, place, line, how)
    // What was sent is sent again, so that there are flows.
    for (const round of [each, packets[i >> 1]!, each]) expect(send(fast, round)).toEqual(send(plain, round))
  })
  expect(fast.log).toEqual(plain.log)
  expect(fast.dropped()).toEqual(plain.dropped())
  expect(fast.engine.saveRules({ counters: true })).toBe(plain.engine.saveRules({ counters: true }))
}

test('give the same packets, lines and counters', () => {
  fc.assert(
    fc.property(
      sets,
      one('ACCEPT', 'DROP'),
      array(packet, { minLength: 20, maxLength: 60 }),
      array(tuple(nat(59), nat(200), oneof(rare, common, rule('filter')), nat(2)), { maxLength: 6 }),
      fc.boolean(),
      (tables, policy, packets, changes, marked) => expectTheSame(textOf(tables, policy, marked), packets, changes),
    ),
    { numRuns: 120, endOnFailure: true },
  )
  expect(seen.remembered).toBeGreaterThan(500)
  expect(seen.passedOver).toBeGreaterThan(100)
})

test('and so where all that becomes of a flow is known', () => {
  fc.assert(
    fc.property(
      settledSets,
      array(flowPacket, { minLength: 20, maxLength: 60 }),
      array(tuple(nat(59), nat(200), oneof(common, settled), nat(2)), { maxLength: 3 }),
      fc.boolean(),
      (tables, packets, changes, marked) => expectTheSame(textOf(tables, 'ACCEPT', marked), packets, changes),
    ),
    { numRuns: 80, endOnFailure: true },
  )
  expect(seen.known).toBeGreaterThan(150)
})

/** Inserts a rule into FORWARD of table filter, replaces one there, or takes one out. */
function change({ engine }: Router, place: number, text: string, how: number): void {
  const { ruleSet } = engine
  const filter = ruleSet.tables.get('filter')!
  const forward = filter.chains.get('FORWARD')!
  const rules = [...forward.rules]
  const line = `-A FORWARD ${later(-1)(text).replace(/-[jg] c\d|-j REJECT/, '-j DROP')}`
  if (!isTaken('filter', line)) return
  const made = parseRestore(`*filter\n${line}\nCOMMIT\n`, { file: 'rule', family: 4 })
  const [rule1] = made.tables.get('filter')!.chains.get('FORWARD')!.rules
  if (how === 0 || rules.length === 0) rules.splice(place % (rules.length + 1), 0, ...(rule1 ? [rule1] : []))
  else rules.splice(place % rules.length, 1, ...(how === 1 && rule1 ? [rule1] : []))
  const chains = new Map(filter.chains).set('FORWARD', { ...forward, rules })
  engine.changeRules({ ...ruleSet, tables: new Map(ruleSet.tables).set('filter', { ...filter, chains }) })
}

test('there is room for every table at every hook', () => {
  expect(TABLES_MAX).toBe(17)
  expect(new Program(4, {} as never).interpreted).toBe(false)
})
