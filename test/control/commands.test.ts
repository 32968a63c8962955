// Commands as the gateway takes them: in turn, each change crossing to the data plane as a difference.

import { expect, test } from 'vitest'
import { Commands } from '../../src/control/commands.ts'
import { programCalled } from '../../src/control/program.ts'
import { ACCEPT, DROP, INPUT } from '../../src/hook/hook.ts'
import { type Program, programOf } from '../../src/iptables/program.ts'
import { CHUNK_SHIFT, countsAt } from '../../src/rule/ledger.ts'
import type { Family } from '../../src/rule/model.ts'
import { ADDRESSES } from '../../src/rule/run.ts'
import { entriesOf } from '../rule/rules.ts'
import { DataPlane } from './data-plane.ts'

async function begin(text = '') {
  const plane = new DataPlane()
  const commands = new Commands(plane, () => {})
  const run = (line: string, input = '') => {
    const { name, args } = programCalled(line.split(' '), [commands])
    return commands.inTurn(() => commands.do(programOf(name) as Program, args, input))
  }
  if (text !== '') expect(await run('iptables-restore', text)).toMatchObject({ status: 0, stderr: '' })
  return { plane, commands, run }
}

/** The running rules as the data plane has them: by table and chain, what each entry does and where it counts. */
function running({ engine }: DataPlane, family: Family) {
  const { entries, tables } = engine.programOf(family)
  return [...tables].map(([table, chains]) => ({
    table,
    chains: [...chains.values()].map((chain) => ({
      name: chain.name,
      policy: chain.name === chain.name.toUpperCase() ? chain.policy : ACCEPT,
      counter: chain.counter,
      rules: entriesOf(chain).map((entry) => ({
        counter: entry,
        source: entries.word(entry, ADDRESSES),
        jump: entries.actionOf(entry).chain?.name,
      })),
    })),
  }))
}

/** The same as the control side believes it to be, the places told by what is counted there. */
function believed(plane: DataPlane, commands: Commands, family: Family) {
  const { ledger } = plane.engine.programOf(family).entries
  for (let place = 0; place < 1000 && place >> CHUNK_SHIFT < ledger.chunks.length; place++) ledger.set(place, place, 0)
  const countsOf = commands.countsOf(family)
  return [...commands.ruleSet(family).tables.values()].map(({ name: table, chains }) => ({
    table,
    chains: [...chains.values()].map((chain) => ({
      name: chain.name,
      policy: chain.policy === 'DROP' ? DROP : ACCEPT,
      counter: countsOf(table, chain).policy.packets,
      rules: chain.rules.map((rule, i) => ({
        counter: countsOf(table, chain).rule(i).packets,
        source: rule.source?.value.address[0] ?? 0,
        jump: rule.action?.kind === 'jump' ? rule.action.chain : undefined,
      })),
    })),
  }))
}

type Listed = ReturnType<typeof believed>
/** The data plane has no order of chains. */
const sorted = (tables: Listed) =>
  tables
    .map(({ table, chains }) => ({ table, chains: chains.sort((a, b) => (a.name < b.name ? -1 : 1)) }))
    .sort((a, b) => (a.table < b.table ? -1 : 1))

test('the data plane has the rules that the control side has, after every command', async () => {
  const { plane, commands, run } = await begin(
    '*filter\n:INPUT DROP [0:0]\n:a - [0:0]\n-A INPUT -j a\n-A a -s 10.0.0.1\n-A a -s 10.0.0.2\n-A a -s 10.0.0.3\nCOMMIT\n',
  )
  const restore = '*filter\n-I a 2 -s 10.0.0.4\n:b - [0:0]\n-A b -p tcp --dport 80 -j ACCEPT\nCOMMIT\n*raw\nCOMMIT\n'
  for (const [line, input] of [
    ['iptables -A INPUT -p tcp --dport 22 -m comment --comment x -j REJECT'],
    ['iptables -I a 2 -m limit --limit 5/min -j LOG --log-prefix y'],
    ['iptables -D a -s 10.0.0.2'],
    ['iptables -R a 1 -m conntrack --ctstate NEW'],
    ['iptables -t nat -A POSTROUTING -j MASQUERADE'],
    ['iptables-restore --noflush', restore],
    ['iptables -E a c'],
    ['iptables -Z'],
    ['iptables -P INPUT ACCEPT'],
    ['iptables -F c'],
    ['iptables -D INPUT 1'],
    ['iptables -X c'],
    ['iptables-restore', '*filter\n-A FORWARD -j DROP\nCOMMIT\n'],
  ]) {
    expect({ line, ...(await run(line, input)) }).toMatchObject({ status: 0, stderr: '' })
    expect(sorted(running(plane, 4))).toEqual(sorted(believed(plane, commands, 4)))
  }
  expect(plane.sizes).toHaveLength(14)
})

test('what stays goes on counting: the same rules, and policies whose counters are not set', async () => {
  const { plane, run } = await begin('*filter\n:a - [0:0]\n-A a -s 10.0.0.1\n-A a -s 10.0.0.2\nCOMMIT\n')
  const chain = (name: string) => plane.engine.program.tables.get('filter')!.get(name)!
  const counts = (place: number) => countsAt(plane.engine.program.entries.counters, place).packets
  const { ledger } = plane.engine.program.entries
  const [first, second] = entriesOf(chain('a')) as [number, number]
  const input = chain('INPUT')
  for (const place of [first, second, input.counter]) ledger.set(place, 7, 70)
  await run('iptables -I a 2 -s 10.0.0.3')
  expect([chain('a').entry(0), chain('a').entry(2)]).toEqual([first, second])
  await run('iptables -A INPUT -j a')
  expect([chain('INPUT') === input, counts(input.counter)]).toEqual([true, 7])
  await run('iptables -P INPUT DROP')
  expect([chain('INPUT') === input, counts(input.counter)]).toEqual([true, 0])
  await run('iptables -Z a 1')
  expect(entriesOf(chain('a')).map(counts)).toEqual([0, 0, 7])
  await run('iptables -E a b')
  expect(entriesOf(chain('b')).map(counts)).toEqual([0, 0, 7])
  expect(plane.engine.program.entries.actionOf(input.entry(0)).chain).toBe(chain('b'))
})

test('a change of one rule among many crosses as one rule', async () => {
  const many = Array.from({ length: 5000 }, (_, i) => `-A FORWARD -s 10.0.${i >> 8}.${i & 255} -j DROP\n`).join('')
  const { plane, run } = await begin(`*filter\n${many}COMMIT\n`)
  await run('iptables -I FORWARD 2500 -j ACCEPT')
  expect(plane.sizes[1]).toBeLessThan(800)
})

test('counters are those of the running generation', async () => {
  const { plane, run } = await begin('*filter\n-A INPUT -j ACCEPT\nCOMMIT\n')
  const input = plane.engine.program.base('filter', INPUT)!
  plane.engine.program.entries.ledger.set(input.counter, 0, 1)
  plane.engine.program.entries.ledger.set(input.entry(0), 2, 3)
  const { stdout } = await run('iptables -v -S INPUT')
  expect(stdout).toBe('-P INPUT ACCEPT -c 0 1\n-A INPUT -c 2 3 -j ACCEPT\n')
})

test('a change that the data plane refuses changes nothing, and the next one is done', async () => {
  const { plane, commands, run } = await begin()
  const change = plane.change.bind(plane)
  plane.change = () => Promise.reject(new Error('no'))
  await expect(run('iptables -N a')).rejects.toThrow('no')
  plane.change = change
  expect(commands.ruleSet(4).tables.size).toBe(0)
  expect(await run('iptables -N a')).toMatchObject({ status: 0 })
})

test.each([
  ['cat -n', /^tunfilter: there is no command 'cat'/],
  ['tunfilter', /^tunfilter: there is no command ''/],
])('%s is no command', async (line, expected) => {
  const { commands } = await begin()
  expect(() => programCalled(line.split(' '), [commands])).toThrow(
    expect.objectContaining({ stderr: expect.stringMatching(expected) }),
  )
})

test('each family has rules of its own', async () => {
  const { plane, commands, run } = await begin('*filter\n-A INPUT -s 10.0.0.1\nCOMMIT\n')
  expect(await run('ip6tables-restore', '*filter\n-A INPUT -s 2001:db8::/32 -p icmpv6\nCOMMIT\n')).toMatchObject({
    status: 0,
  })
  expect(await run('ip6tables -t mangle -P OUTPUT DROP')).toMatchObject({ status: 0 })
  expect((await run('ip6tables -S INPUT')).stdout).toBe('-P INPUT ACCEPT\n-A INPUT -s 2001:db8::/32 -p ipv6-icmp\n')
  expect((await run('iptables -S INPUT')).stdout).toBe('-P INPUT ACCEPT\n-A INPUT -s 10.0.0.1/32\n')
  for (const family of [4, 6] as const)
    expect(sorted(running(plane, family))).toEqual(sorted(believed(plane, commands, family)))
})
