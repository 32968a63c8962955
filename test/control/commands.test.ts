// Commands as the gateway takes them: in turn, each change crossing to the data plane as a difference.

import { expect, test } from 'vitest'
import { changed, type RuleChange } from '../../src/control/change.ts'
import { Commands } from '../../src/control/commands.ts'
import { programCalled } from '../../src/control/program.ts'
import { type Program, programOf } from '../../src/iptables/program.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { save } from '../../src/iptables/save.ts'
import type { Chain, Family, Rule, RuleSet } from '../../src/rule/model.ts'

/** A data plane that holds rules and counts nothing. */
class HeldRules {
  readonly ruleSets: Record<Family, RuleSet>
  readonly changes: RuleChange[] = []

  constructor(ruleSet: RuleSet) {
    this.ruleSets = { 4: ruleSet, 6: { family: 6, tables: new Map() } }
  }

  async change(change: RuleChange): Promise<Float64Array> {
    // As it crosses from one thread to another.
    const crossed = structuredClone(change)
    this.changes.push(crossed)
    const after = changed(this.ruleSets[change.family], crossed)
    this.ruleSets[change.family] = after
    let size = 0
    for (const { chains } of after.tables.values())
      for (const { rules } of chains.values()) size += 2 + 2 * rules.length
    return new Float64Array(size)
  }
}

function begin(text = '') {
  const parsed = () => parseRestore(text, { file: 'rules', family: 4 })
  const plane = new HeldRules(parsed())
  const counters = new Float64Array(1000).map((_, i) => i)
  const commands = new Commands([{ ruleSet: parsed(), counters }], plane, () => {})
  const run = (line: string, input = '') => {
    const { name, args } = programCalled(line.split(' '), [commands])
    return commands.inTurn(() => commands.do(programOf(name) as Program, args, input))
  }
  return { plane, commands, run }
}

test('the data plane has the rules that the control side has, after every command', async () => {
  const { plane, commands, run } = begin(
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
    expect(save(plane.ruleSets[4])).toBe(save(commands.ruleSet(4)))
  }
  expect(plane.changes).toHaveLength(13)
})

test('what stays goes on counting: the same rules, and policies whose counters are not set', async () => {
  const { plane, run } = begin('*filter\n:a - [0:0]\n-A a -s 10.0.0.1\n-A a -s 10.0.0.2\nCOMMIT\n')
  const chain = (name: string) => plane.ruleSets[4].tables.get('filter')?.chains.get(name) as Chain
  const [first, second] = chain('a').rules as [Rule, Rule]
  const policy = chain('INPUT').counters
  await run('iptables -I a 2 -s 10.0.0.3')
  expect([chain('a').rules[0] === first, chain('a').rules[2] === second]).toEqual([true, true])
  await run('iptables -A INPUT -j a')
  expect(chain('INPUT').counters).toBe(policy)
  await run('iptables -P INPUT DROP')
  expect(chain('INPUT').counters).not.toBe(policy)
  await run('iptables -Z a 1')
  expect([chain('a').rules[0] === first, chain('a').rules[2] === second]).toEqual([false, true])
})

test('a change of one rule among many crosses as one rule', async () => {
  const many = Array.from({ length: 5000 }, (_, i) => `-A FORWARD -s 10.0.${i >> 8}.${i & 255} -j DROP\n`).join('')
  const { plane, run } = begin(`*filter\n${many}COMMIT\n`)
  await run('iptables -I FORWARD 2500 -j ACCEPT')
  expect(JSON.stringify(plane.changes[0]).length).toBeLessThan(600)
})

test('counters are those of the running generation', async () => {
  const { run } = begin('*filter\n-A INPUT -j ACCEPT\nCOMMIT\n')
  const { stdout } = await run('iptables -v -S INPUT')
  expect(stdout).toBe('-P INPUT ACCEPT -c 0 1\n-A INPUT -c 2 3 -j ACCEPT\n')
})

test('a change that the data plane refuses changes nothing, and the next one is done', async () => {
  const { plane, commands, run } = begin()
  const { change } = plane
  plane.change = () => Promise.reject(Object.assign(new Error('no')))
  await expect(run('iptables -N a')).rejects.toThrow('no')
  plane.change = change
  expect(commands.ruleSet(4).tables.size).toBe(0)
  expect(await run('iptables -N a')).toMatchObject({ status: 0 })
})

test.each([
  ['cat -n', /^tunfilter: there is no command 'cat'/],
  ['tunfilter', /^tunfilter: there is no command ''/],
])('%s is no command', (line, expected) => {
  expect(() => programCalled(line.split(' '), [begin().commands])).toThrow(
    expect.objectContaining({ stderr: expect.stringMatching(expected) }),
  )
})

test('each family has rules of its own', async () => {
  const { plane, commands, run } = begin('*filter\n-A INPUT -s 10.0.0.1\nCOMMIT\n')
  expect(await run('ip6tables-restore', '*filter\n-A INPUT -s 2001:db8::/32 -p icmpv6\nCOMMIT\n')).toMatchObject({
    status: 0,
  })
  expect(await run('ip6tables -t mangle -P OUTPUT DROP')).toMatchObject({ status: 0 })
  expect((await run('ip6tables -S INPUT')).stdout).toBe('-P INPUT ACCEPT\n-A INPUT -s 2001:db8::/32 -p ipv6-icmp\n')
  expect((await run('iptables -S INPUT')).stdout).toBe('-P INPUT ACCEPT\n-A INPUT -s 10.0.0.1/32\n')
  for (const family of [4, 6] as const) expect(save(plane.ruleSets[family])).toBe(save(commands.ruleSet(family)))
  expect(plane.changes.map(({ family }) => family)).toEqual([6, 6])
})
