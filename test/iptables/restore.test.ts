import { describe, expect, test } from 'vitest'
import { RefusedError } from '../../src/errors.ts'
import { parseRestore, type RestoreOptions } from '../../src/iptables/restore.ts'
import { save } from '../../src/iptables/save.ts'
import { ACCEPTED, fileOf } from './cases.ts'
import { REFUSED } from './refused.ts'

const parse = (text: string, options: Partial<RestoreOptions> = {}) =>
  parseRestore(text, { file: 'rules.v4', family: 4, ...options })

function complaintsOf(text: string, options: Partial<RestoreOptions> = {}): string[] {
  try {
    parse(text, options)
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error
    expect(error.code).toBe('ERR_RULES')
    return error.complaints.map((c) => `${c.line}:${c.column}: ${c.message}`)
  }
  return []
}

/** Lines of the saved form: the rules, own chains, and policies other than the usual. */
function linesOf(saved: string): string[] {
  return saved.split('\n').filter((line) => /^(-A|:.* -|:.* DROP)/.test(line))
}

describe('rules are saved as iptables saves them', () => {
  test.each(ACCEPTED.map(([written, saved = written]) => [written, saved] as const))('%s', (written, saved) => {
    const wanted = fileOf(saved)
      .split('\n')
      .filter((line) => /^[-:]/.test(line))
    expect(linesOf(save(parse(fileOf(written))))).toEqual(wanted)
  })
})

describe('rules are refused at their place, with what was expected', () => {
  test.each(REFUSED)('%s', (rule, place, message) => {
    const [line, column] = place.split('.').map(Number)
    expect(complaintsOf(fileOf(rule))).toEqual([`${line + 1}:${column}: ${message}`])
  })
})

describe('a file', () => {
  test('names its built-in chains, own chains by name, then the rules chain by chain', () => {
    const text = '*filter\n:b - [0:0]\n:a - [0:0]\n:INPUT DROP\n-A b -j a\n-A INPUT -j b\nCOMMIT\n'
    expect(save(parse(text))).toBe(
      '*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:a - [0:0]\n:b - [0:0]\n' +
        '-A INPUT -j b\n-A b -j a\nCOMMIT\n',
    )
  })

  test('saves the tables in the reverse order of their making', () => {
    const saved = save(parse('*nat\nCOMMIT\n*raw\nCOMMIT\n*filter\nCOMMIT\n'))
    expect(saved.match(/^\*.*/gm)).toEqual(['*filter', '*raw', '*nat'])
  })

  test('may hold comments, empty lines, a blank behind the star, and a COMMIT without a line end', () => {
    expect(linesOf(save(parse('# x\n\n* filter\n#y\n-A INPUT\n\nCOMMIT')))).toEqual(['-A INPUT'])
  })

  test('replaces a table that stands in it twice', () => {
    expect(linesOf(save(parse('*raw\n-A OUTPUT\nCOMMIT\n*raw\n:x -\nCOMMIT\n')))).toEqual([':x - [0:0]'])
  })

  test('keeps a comment that runs over its line end', () => {
    const saved = save(parse('*filter\n-A INPUT -m comment --comment "open\nCOMMIT\n'))
    expect(saved).toContain('-A INPUT -m comment --comment "open\n"\nCOMMIT\n')
  })

  test.each([
    ['*filter\n-A INPUT\n', '2:1: the file ends here without COMMIT for the table of line 1: expected COMMIT'],
    ['*filter\nCOMMIT \n', '2:1: there are blanks around COMMIT: expected COMMIT alone'],
    ['-A INPUT\n', "1:1: '-A INPUT' stands outside of any table: expected *TABLE"],
    [
      '*flter\n-A INPUT\nCOMMIT\n',
      "1:2: there is no table 'flter': expected raw, mangle, nat, filter, security; did you mean 'filter'?",
    ],
    ['*filter\r\nCOMMIT\r\n', '1:8: the line ends in a carriage return: expected Unix line ends in the whole file'],
    ['*filter\n-A \0 INPUT\nCOMMIT\n', '2:4: there is a NUL byte here'],
    ['*filter\n \nCOMMIT\n', '2:1: the line is of blanks alone: expected an empty line, or a command'],
    [`*filter\n${'x'.repeat(70_000)}\nCOMMIT\n`, '2:1: the line is longer than 65536 characters'],
    ['*filter\n:INPUT DROP [1:2\nCOMMIT\n', "2:13: '[1:2' is not understood: expected [PACKETS:BYTES]"],
  ])('is refused: %j', (text, complaint) => {
    expect(complaintsOf(text).filter((c) => !c.includes('ends here') || c === complaint)).toEqual([complaint])
  })

  test('is refused with everything that is wrong in it', () => {
    const text =
      '*filter\n-A INPUT -p tcp --dport x --sport y\n-A INPUT -j NOPE\nCOMMIT\n*nat\n-A POSTROUTING -j SNAT\nCOMMIT\n'
    expect(complaintsOf(text).map((c) => c.split(': ')[0])).toEqual(['2:25', '2:35', '3:13', '6:19'])
  })

  test('names file, line and column in the error itself', () => {
    expect(() => parse('*filter\n-A INPUT -j NOPE\nCOMMIT\n')).toThrow(/^rules\.v4:2:13: Couldn't load target `NOPE'/)
  })
})

describe('counters', () => {
  const text =
    '*filter\n:INPUT DROP [12:345]\n:own - [9:9]\n[7:800] -A INPUT -j own\n-A INPUT -c 1 2\n-A INPUT -c 3,4\nCOMMIT\n'

  test('are taken and saved on request', () => {
    expect(save(parse(text, { counters: true }), { counters: true })).toBe(
      '*filter\n:INPUT DROP [12:345]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:own - [0:0]\n' +
        '[7:800] -A INPUT -j own\n[1:2] -A INPUT\n[3:4] -A INPUT\nCOMMIT\n',
    )
  })

  test('begin at 0 otherwise', () => {
    expect(save(parse(text), { counters: true })).toContain(':INPUT DROP [0:0]\n')
    expect(save(parse(text), { counters: true })).toContain('[0:0] -A INPUT -j own\n')
  })

  test('may be had from elsewhere', () => {
    const counts = { packets: 2 ** 53 - 1, bytes: 5 }
    const saved = save(parse(text), { counters: true, countsOf: () => ({ policy: counts, rule: () => counts }) })
    expect(saved).toContain('[9007199254740991:5] -A INPUT -j own\n')
    expect(saved).toContain(':own - [0:0]\n')
  })
})

describe('onto a rule set that is there', () => {
  const base = parse(
    '*filter\n:own -\n:other -\n:INPUT DROP\n-A own -j ACCEPT\n-A INPUT -j own\nCOMMIT\n*raw\n-A OUTPUT\nCOMMIT\n',
  )

  test('a table is replaced, its policies stay, and other tables are untouched', () => {
    const now = parse('*filter\n-A FORWARD\nCOMMIT\n', { base })
    expect(linesOf(save(now))).toEqual(['-A OUTPUT', ':INPUT DROP [0:0]', '-A FORWARD'])
    expect(now.tables.get('raw')).toBe(base.tables.get('raw'))
  })

  test('with noflush rules are added, and a chain that is named anew is emptied', () => {
    const now = parse('*filter\n:own -\n-A INPUT -j other\nCOMMIT\n', { base, noflush: true })
    expect(linesOf(save(now))).toEqual([
      '-A OUTPUT',
      ':INPUT DROP [0:0]',
      ':other - [0:0]',
      ':own - [0:0]',
      '-A INPUT -j own',
      '-A INPUT -j other',
    ])
  })

  test('nothing is changed, whatever becomes of the file', () => {
    const before = save(base)
    parse('*filter\n-F\n-X\n-P INPUT ACCEPT\nCOMMIT\n', { base, noflush: true })
    expect(complaintsOf('*filter\n-F\n-A INPUT -j NOPE\nCOMMIT\n', { base, noflush: true })).toHaveLength(1)
    expect(save(base)).toBe(before)
  })
})

test('a loop or a misplaced target that nothing reaches is no error', () => {
  expect(complaintsOf('*nat\n:a -\n:b -\n-A a -j b\n-A b -j a\n-A b -j MASQUERADE\nCOMMIT\n')).toEqual([])
})

test('a chain of a hundred thousand jumps is walked without trouble', () => {
  const chains = Array.from({ length: 100_000 }, (_, i) => `c${i}`)
  const text = ['*filter', ...chains.map((c) => `:${c} -`), '-A INPUT -j c0']
  for (let i = 1; i < chains.length; i++) text.push(`-A c${i - 1} -j c${i}`)
  expect(parse([...text, 'COMMIT\n'].join('\n')).tables.get('filter')?.chains.size).toBe(100_003)
  const loop = complaintsOf([...text, '-A c99999 -g c5', 'COMMIT\n'].join('\n'))
  expect(loop).toHaveLength(1)
  expect(loop[0]).toMatch(/^200002:1: jumps run in a circle: c5 -> c6 .*\(\d+ more\).* -> c5$/)
})

test('rules of ip6tables are read and saved', () => {
  const text =
    '*filter\n-A INPUT -s 2001:DB8::1/64 -d ::ffff:1.2.3.4 -p icmpv6 -m conntrack --ctorigsrc fe80::/10 -j ACCEPT\nCOMMIT\n'
  expect(linesOf(save(parse(text, { family: 6 })))).toEqual([
    '-A INPUT -s 2001:db8::/64 -d ::ffff:1.2.3.4/128 -p ipv6-icmp -m conntrack --ctorigsrc fe80::/10 -j ACCEPT',
  ])
  expect(complaintsOf('*filter\n-A INPUT -f\n-A INPUT -s 1.2.3.4\nCOMMIT\n', { family: 6 })).toHaveLength(2)
})
