// What commands do beyond what the real ipset can be asked about: restores that are all or nothing, or line by line, files,
// JSON, sets that rules hold, and answers to what would hold everything else up.

import { describe, expect, test } from 'vitest'
import { IpsetCommand, type IpsetResult, runIpset } from '../../src/ipset/command.ts'
import { readElement } from '../../src/ipset/element.ts'
import { Extras } from '../../src/ipset/extensions.ts'
import { listSets } from '../../src/ipset/list.ts'
import type { SetStore } from '../../src/ipset/store.ts'
import { bare, matches } from './packet.ts'
import { NAMES, newStore, refusal, run } from './sets.ts'

/** All of it or nothing, as a file of sets is loaded. */
function restoreAtomically(store: SetStore, stdin: string): IpsetResult {
  let result: IpsetResult | undefined
  try {
    store.atomically(() => {
      result = runIpset(store, ['restore'], { stdin })
      if (result.status !== 0) throw new Error('undone')
    })
  } catch {}
  return result as IpsetResult
}

describe('restore', () => {
  const wrong =
    'add a 10.0.0.2\nflush b\nrename b c\nswap a d\ndestroy d\nadd l c\ncreate new hash:ip\nadd new 1.1.1.1\nadd a foo\n'
  const made = [
    'create a hash:ip counters comment',
    'create b hash:net',
    'create d hash:ip',
    'create l list:set',
    'add a 10.0.0.1 packets 7 comment x',
    'add b 10.0.0.0/8',
    'add d 10.9.9.9',
    'add l d',
    'del l d',
    'add l a',
  ]

  test('changes nothing when it fails and is to be atomic', () => {
    const store = newStore()
    run(store, ...made)
    const before = run(store, 'save')
    const slots = ['a', 'b', 'd', 'l'].map((name) => store.get(name))
    const result = restoreAtomically(store, wrong)
    expect(result).toEqual({
      status: 1,
      stdout: '',
      stderr: 'ipset v7.17: Error in line 9: Syntax error: cannot parse foo: resolving to IPv4 address failed\n',
    })
    expect(run(store, 'save')).toBe(before)
    // Who holds a slot still holds the same set.
    expect(['a', 'b', 'd', 'l'].map((name) => store.get(name))).toEqual(slots)
    expect(store.references(store.get('a'))).toBe(1)
    expect(store.slot('new')).toBeUndefined()
    run(store, 'destroy b', 'destroy d')
  })

  test('otherwise keeps what was done before the line that fails', () => {
    const store = newStore()
    run(store, ...made)
    expect(runIpset(store, ['restore'], { stdin: wrong }).status).toBe(1)
    expect(run(store, 'list -n').split('\n')).toEqual(['a', 'c', 'new', 'l', ''])
  })

  test('that succeeds is the same, atomic or not', () => {
    const stdin = wrong.replace('add a foo\n', '')
    const saved = [true, false].map((atomic) => {
      const store = newStore()
      run(store, ...made)
      const result = atomic ? restoreAtomically(store, stdin) : runIpset(store, ['restore'], { stdin })
      expect(result).toEqual({ status: 0, stdout: '', stderr: '' })
      return run(store, 'save')
    })
    expect(saved[0]).toBe(saved[1])
    expect(saved[0]).toContain('add a 10.9.9.9')
  })

  test('is done a line at a time, as its input comes, and waits for more', () => {
    const store = newStore()
    const restore = new IpsetCommand(store, ['restore'])
    expect(restore.step()).toBe('input')
    restore.give('create a hash:ip\nadd a 10.')
    expect([restore.step(), store.get('a').set.count, restore.step()]).toEqual(['more', 0, 'input'])
    restore.give('0.0.1\nadd a 10.0.0.1')
    expect([restore.step(), store.get('a').set.count, restore.step()]).toEqual(['more', 1, 'input'])
    restore.endInput()
    expect([restore.step(), restore.status]).toEqual(['done', 1])
    expect(restore.takePrinted().stderr).toBe(
      "ipset v7.17: Error in line 3: Element cannot be added to the set: it's already added\n",
    )
  })

  test('refuses lines that are too long, and reads a line up to a NUL byte', () => {
    const store = newStore()
    const long = runIpset(store, ['restore'], { stdin: `create a hash:ip ${'x'.repeat(2000)}` })
    expect(long.status).toBe(2)
    expect(long.stderr).toContain('Line is too long to parse.')
    expect(runIpset(store, ['restore'], { stdin: 'create a hash:ip\0 foo\n' }).status).toBe(0)
  })

  test('of what was saved gives the same sets, forceadd too where it is asked for', () => {
    const store = newStore()
    run(
      store,
      'create a hash:ip forceadd timeout 100 counters comment skbinfo',
      'add a 10.0.0.1 timeout 0 packets 5 bytes 18446744073709551614 comment x skbmark 0x1/0xff skbprio 1:2 skbqueue 3',
      'create p hash:ip,port family inet6 netmask 64',
      'add p 2001:db8::1,icmpv6:128/0',
      'create i hash:net,iface',
      'add i 10.0.0.0/8,eth nomatch wildcard',
      'create b bitmap:port range 1-10',
      'add b 3-5',
      'create l list:set',
      'add l b',
      'add l a before b',
    )
    const other = newStore(2)
    expect(runIpset(other, ['restore'], { stdin: run(store, 'save') }).stderr).toBe('')
    expect(run(other, 'save')).toBe(run(store, 'save'))
    expect(run(store, 'save a')).not.toContain('forceadd')
    const complete = [...listSets(store, store.slots(), { mode: 'save', complete: true })].join('')
    expect(complete).toContain('timeout 100 counters comment forceadd skbinfo')
    const third = newStore(3)
    expect(runIpset(third, ['restore'], { stdin: complete }).status).toBe(0)
    expect([...listSets(third, third.slots(), { mode: 'save', complete: true })].join('')).toBe(complete)
  })
})

describe('files', () => {
  test('are read and written by whoever is asked to', () => {
    const store = newStore()
    const files = new Map([['in', 'create a hash:ip\nadd a 10.0.0.1\n']])
    const input = {
      readFile: (path: string) => files.get(path)!,
      writeFile: (path: string, text: string) => void files.set(path, text),
    }
    expect(runIpset(store, ['restore', '-f', 'in'], input).status).toBe(0)
    expect(runIpset(store, ['save', '-f', 'out'], input)).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(files.get('out')).toBe(run(store, 'save'))
  })

  test('are refused to clients that have no files', () => {
    expect(runIpset(newStore(), ['list', '-f', '/etc/passwd'])).toMatchObject({
      status: 1,
      stderr: 'ipset v7.17: Cannot open /etc/passwd for writing: files are not written for this client\n',
    })
  })
})

test('JSON says what the other forms say', () => {
  const store = newStore()
  run(store, 'create a hash:net counters comment timeout 9', 'add a 10.0.0.0/8 comment x nomatch', 'create e hash:ip')
  const sets = JSON.parse(run(store, 'list -o json')) as Record<string, unknown>[]
  expect(sets.map((each) => each.name)).toEqual(['a', 'e'])
  expect(sets[0]).toMatchObject({
    type: 'hash:net',
    revision: 7,
    header: {
      family: 'inet',
      hashsize: 1024,
      maxelem: 65536,
      timeout: 9,
      counters: true,
      references: 0,
      numentries: 1,
    },
    members: [{ elem: '10.0.0.0/8', timeout: 9, nomatch: true, packets: 0, bytes: 0, comment: 'x' }],
  })
  expect(sets[1].members).toEqual([])
  expect(JSON.parse(run(store, 'list -o json -t'))[0]).not.toHaveProperty('members')
  expect(JSON.parse(run(store, 'list -o json -n'))).toEqual([{ name: 'a' }, { name: 'e' }])
  expect(JSON.parse(run(newStore(), 'list -o json'))).toEqual([])
})

describe('sets that are in use', () => {
  test('by rules are neither destroyed nor renamed, but swapped: who holds one name finds the other content', () => {
    const store = newStore()
    run(store, 'create a hash:ip', 'create b hash:ip', 'add a 10.0.0.1')
    store.setRules(4, () => new Map([['a', 2]]))
    expect(refusal(store, 'destroy a')).toBe('Set cannot be destroyed: it is in use by a kernel component')
    expect(refusal(store, 'destroy')).toBe('Set cannot be destroyed: it is in use by a kernel component')
    expect(refusal(store, 'rename a c')).toBe('Set cannot be renamed: it is in use by another system')
    expect(run(store, 'list a')).toContain('References: 2\n')
    const p = bare(4)
    p.source = 0x0a000001
    const slot = store.get('a')
    expect(matches(store, 'a', 'src', p)).toBe(true)
    run(store, 'swap a b')
    expect(store.get('a')).toBe(slot)
    expect(matches(store, 'a', 'src', p)).toBe(false)
    expect(matches(store, 'b', 'src', p)).toBe(true)
    run(store, 'destroy b')
    store.setRules(4, () => new Map())
    run(store, 'destroy a')
  })

  test('a new set stands in the place of one that was destroyed', () => {
    const store = newStore()
    run(
      store,
      'create a hash:ip',
      'create l list:set',
      'create b hash:ip',
      'create c hash:ip',
      'destroy a',
      'create d hash:ip',
    )
    expect(run(store, 'list -n')).toBe('d\nb\nc\nl\n')
  })
})

test('forceadd makes place for what is added to a full set', () => {
  const store = newStore()
  run(store, 'create s hash:ip maxelem 3 forceadd')
  for (let i = 1; i < 50; i++) {
    run(store, `add s 10.0.0.${i}`, `test s 10.0.0.${i}`)
    expect(store.get('s').set.count).toBe(Math.min(i, 3))
  }
})

test('a command that stands for too many members ends with an error, and does not take forever', () => {
  const store = newStore()
  run(store, 'create s hash:ip,port maxelem 4294967295')
  expect(refusal(store, 'del -exist s 10.0.0.0/8,0-65535')).toBe(
    'The specified range is too large, split it up into smaller ranges',
  )
})

test.each<[string, string, string?]>([
  ['hash:ip', '10.0.0.7-10.0.40.9'],
  ['hash:ip', '10.0.0.0/17'],
  ['hash:ip', '0.0.0.0/16'],
  ['hash:ip', '0.0.0.0/0'],
  ['hash:ip maxelem 5000', '10.0.0.0/16'],
  ['hash:ip netmask 28', '10.0.0.5-10.3.1.1'],
  ['hash:ip netmask 28', '10.0.0.5-10.3.1.1', '10.1.0.16'],
  ['hash:ip,port', '10.0.0.7-10.0.0.9,tcp:1-3000'],
  ['hash:ip,port', '10.0.0.7-10.0.9.9,udp:53'],
  ['hash:ip,port', '10.0.0.7-10.0.9.9,udp:5-3', '10.0.4.0,udp:4'],
  ['hash:ip,port family inet6', '2001:db8::1,tcp:1-3000'],
  ['hash:ip,port,ip', '10.0.0.7-10.0.9.9,tcp:80,10.0.0.1'],
  ['hash:ip,port,net', '10.0.0.7-10.0.9.9,tcp:80,10.0.0.0-10.0.2.255'],
  ['hash:net,port', '10.0.0.0-10.0.0.6,tcp:1-3000'],
  ['hash:net,port', '10.0.0.0-10.0.0.6,tcp:1-30', '10.0.0.4/31,tcp:9'],
  ['hash:net', '0.0.0.0-255.255.255.255'],
  ['hash:net,net', '10.0.0.1-10.0.0.9,10.1.0.1-10.1.0.9'],
  ['bitmap:ip range 10.0.0.0/16', '10.0.0.0/16'],
])('many members of %s at once (%s) come in steps, and are the same in the end', (type, text, there) => {
  const [stepped, whole] = [newStore(), newStore()]
  for (const store of [stepped, whole])
    run(store, `create s ${type}`, ...(there === undefined ? [] : [`add s ${there}`]))
  const command = new IpsetCommand(stepped, ['add', 's', text])
  let steps = 1
  while (command.step() !== 'done') steps++
  const { settings } = whole.get('s').set
  let refused = ''
  try {
    whole.add('s', readElement(text, settings, NAMES, 'add'), new Extras())
  } catch (error) {
    refused = `ipset v7.17: ${(error as Error).message}\n`
  }
  expect(command.takePrinted().stderr).toBe(refused)
  const saved = run(whole, '-s save')
  expect(run(stepped, '-s save')).toBe(saved)
  // No step adds more than a packet can wait for.
  if (!type.startsWith('bitmap')) expect(saved.split('\n').length / steps).toBeLessThan(3100)
})

test.each([[], ['-s']])(
  'a listing that others change sets under has each member that stayed, once (%s)',
  (...option) => {
    const store = newStore()
    run(store, 'create a hash:ip maxelem 1000000 comment', 'add a 10.0.0.0/16 comment x', 'add a 10.2.0.0/18 comment x')
    const command = new IpsetCommand(store, [...option, 'save', 'a'])
    let text = ''
    for (let i = 0; ; i++) {
      const state = command.step()
      text += command.takePrinted().stdout
      if (state === 'done') break
      // Those of 10.2 go meanwhile, and others come.
      if (i % 400 === 0)
        run(store, `del -exist a 10.2.${(i / 400) & 63}.0/24`, `add -exist a 10.3.${(i / 400) & 255}.0/24`)
    }
    const stayed = text.match(/^add a 10\.0\.\d+\.\d+ comment "x"$/gm) ?? []
    expect([stayed.length, new Set(stayed).size]).toEqual([65536, 65536])
    const all = text.match(/^add .*$/gm) ?? []
    expect(new Set(all).size).toBe(all.length)
    if (option.length === 0) return
    const numbers = stayed.map((line) =>
      line
        .split(/[. ]/)
        .slice(4, 6)
        .reduce((sum, part) => 256 * sum + Number(part), 0),
    )
    expect(numbers).toEqual(numbers.map((_, i) => i))
  },
)

test('host names are not looked up', () => {
  const store = newStore()
  run(store, 'create s hash:ip')
  expect(refusal(store, 'add s localhost')).toBe(
    'Syntax error: cannot parse localhost: resolving to IPv4 address failed',
  )
})

test('any words at all are answered', () => {
  const words =
    'create add del test list save restore swap rename help a b hash:ip hash:net -! -o xml -n , / - : [ ] "'.split(' ')
  let x = 1
  const store = newStore()
  for (let i = 0; i < 3000; i++) {
    const argv: string[] = []
    do {
      x = (Math.imul(x, 1103515245) + 12345) & 0x7fffffff
      argv.push(words[(x >>> 8) % words.length])
    } while ((x & 0x70000) !== 0)
    const { status, stderr } = runIpset(store, argv)
    expect([0, 1, 2]).toContain(status)
    if (status !== 0 && !argv.includes('-q')) expect(stderr).not.toBe('')
  }
})
