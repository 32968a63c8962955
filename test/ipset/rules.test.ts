// The rules that name sets: their saved form, what is refused, and how a rule set is held against the sets that there are.

import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { MemoryDevice } from '../../src/device/memory.ts'
import { Engine } from '../../src/engine.ts'
import { RefusedError } from '../../src/errors.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { save } from '../../src/iptables/save.ts'
import { setsNamed, wrongSets } from '../../src/rule/set-reference.ts'
import { VirtualClock } from '../../src/time.ts'
import { packetsOf } from '../support/packet/index.ts'
import { needsIpset } from './real-ipset.ts'
import { newStore, run } from './sets.ts'

const file = (rules: readonly string[], table = 'mangle') =>
  `*${table}\n${rules.map((rule) => `-A FORWARD ${rule}\n`).join('')}COMMIT\n`
const parse = (rules: readonly string[], table?: string) =>
  parseRestore(file(rules, table), { file: 'rules', family: 4 })
const saved = (rules: readonly string[], table?: string) =>
  save(parse(rules, table), {})
    .split('\n')
    .filter((line) => line.startsWith('-A'))
    .map((line) => line.replace('-A FORWARD ', ''))

/** As it is written, and as it is saved where that differs. */
const RULES: readonly (readonly [string, string?])[] = [
  ['-m set --match-set a src'],
  ['-m set ! --match-set a src'],
  ['-m set --match-set a src,dst'],
  ['-m set --match-set l src,dst,src,src,src,dst'],
  ['-m set --set a src', '-m set --match-set a src'],
  ['-m set --match-set a src --return-nomatch'],
  ['-m set --match-set a src ! --update-counters'],
  ['-m set --match-set a src --update-counters', '-m set --match-set a src'],
  ['-m set --match-set a src ! --update-subcounters'],
  ['-m set --match-set a src --packets-eq 5'],
  ['-m set --match-set a src ! --packets-eq 5'],
  ['-m set --match-set a src --packets-lt 5 --bytes-gt 7'],
  ['-m set --bytes-gt 7 --packets-lt 5 --match-set a src', '-m set --match-set a src --packets-lt 5 --bytes-gt 7'],
  ['-m set --match-set a src --packets-gt 18446744073709551615'],
  [
    '-m set --match-set a src --packets-gt 0x10 --bytes-lt 0 --return-nomatch ! --update-counters ! --update-subcounters',
    '-m set --match-set a src --return-nomatch ! --update-counters ! --update-subcounters --packets-gt 16 --bytes-lt 0',
  ],
  ['-m set --match-set a src ! --bytes-eq 010', '-m set --match-set a src ! --bytes-eq 8'],
  ['-m set --match-set a src -m set --match-set p src,dst -m set ! --match-set l dst -j ACCEPT'],
  ['-j SET --add-set a src'],
  ['-j SET --timeout 5 --add-set a src --exist', '-j SET --add-set a src --exist --timeout 5'],
  ['-j SET --add-set a src --timeout 0'],
  ['-j SET --add-set a src --timeout 4294967294'],
  ['-j SET --del-set p src,dst'],
  [
    '-j SET --map-set n src --map-mark --del-set l src,dst --exist --add-set a src --timeout 6',
    '-j SET --add-set a src --exist --timeout 6 --del-set l src,dst --map-set n src --map-mark',
  ],
  ['-j SET --map-set n src --map-prio'],
  [
    '-j SET --map-queue --map-set n src --map-prio --map-mark --map-prio',
    '-j SET --map-set n src --map-mark --map-prio --map-queue',
  ],
]

const REFUSED: readonly string[] = [
  '-m set',
  '-m set --match-set a',
  '-m set --match-set a foo',
  '-m set --match-set a src,',
  '-m set --match-set a SRC',
  '-m set --match-set l src,src,src,src,src,src,src',
  '-m set --match-set a src --match-set p src',
  '-m set --match-set a src ! --return-nomatch',
  '-m set --match-set a src ! --packets-lt 5',
  '-m set --match-set a src --packets-eq 5 --packets-lt 7',
  '-m set --match-set a src --bytes-eq 5 --bytes-gt 7',
  '-m set --match-set a src --packets-gt 18446744073709551616',
  '-m set --match-set a src --packets-gt x',
  '-m set --match-set 01234567890123456789012345678901 src',
  '-j SET',
  '-j SET --exist',
  '-j SET --del-set a src --exist',
  '-j SET --del-set a src --timeout 5',
  '-j SET --add-set a src --add-set p src',
  '-j SET --add-set a src --map-mark',
  '-j SET --map-set n src',
  '-j SET --add-set a src --timeout 4294967295',
]

describe('rules that name sets', () => {
  test('are saved as iptables saves them', () => {
    expect(saved(RULES.map(([rule]) => rule))).toEqual(RULES.map(([rule, as]) => as ?? rule))
    const again = RULES.map(([rule, as]) => as ?? rule)
    expect(saved(again)).toEqual(again)
  })

  test.each(REFUSED)('are refused: %s', (rule) => {
    expect(() => parse([rule])).toThrow(RefusedError)
  })

  test('map in the mangle table alone, and priorities only where a packet has its way out', () => {
    expect(() => parse(['-j SET --map-set n src --map-mark'], 'filter')).toThrow('expected mangle')
    const prerouting = (to: string) => `*mangle\n-A PREROUTING -j SET --map-set n src ${to}\nCOMMIT\n`
    const refused = 'cannot stand in PREROUTING'
    expect(() => parseRestore(prerouting('--map-prio'), { file: 'rules', family: 4 })).toThrow(refused)
    expect(() => parseRestore(prerouting('--map-mark --map-queue'), { file: 'rules', family: 4 })).toThrow(refused)
    parseRestore(prerouting('--map-mark'), { file: 'rules', family: 4 })
  })

  test('give a packet the priority and the mark of its member', () => {
    const lan = new MemoryDevice('lan')
    const devices = new Map([['lan', lan]])
    const config = { devices: { lan: { addresses: ['10.0.1.1/24'] } } }
    const engine = Engine.open({ config, devices, clock: new VirtualClock() })
    engine.ipset(['create', 'n', 'hash:net', 'skbinfo'])
    engine.ipset(['add', 'n', '10.0.1.2', 'skbmark', '0x5', 'skbprio', '1:a'])
    const judged = (options: string) => {
      const seen: unknown[] = []
      engine.load(`*mangle\n-A FORWARD -j SET --map-set n src ${options}\n-A FORWARD -j NFQUEUE\nCOMMIT\n`)
      const end = engine.queue(0, ({ mark, priority }) => seen.push({ mark, priority }))
      for (const packet of packetsOf('udp 10.0.1.2:1 > 10.0.1.9:1')) lan.inject(packet)
      engine.step()
      end()
      return seen
    }
    expect(judged('--map-prio')).toEqual([{ mark: 0, priority: 0x1000a }])
    expect(judged('--map-mark --map-queue')).toEqual([{ mark: 5, priority: 0 }])
    engine.close()
  })

  test(...needsIpset('are saved and refused as the real tools do'), () => {
    const quote = (text: string) => `'${text}'`
    const script = `export XTABLES_LOCKFILE=$(mktemp)
      for set in 'a hash:ip' 'p hash:ip,port' 'n hash:net skbinfo' 'l list:set'; do ipset create $set; done
      printf %s ${quote(file(RULES.map(([rule]) => rule)))} | iptables-legacy-restore && iptables-legacy-save -t mangle
      ${REFUSED.map((rule) => `printf %s ${quote(file([rule]))} | iptables-legacy-restore 2>/dev/null && echo 'TAKEN ${rule}'`).join('\n')}
      rm "$XTABLES_LOCKFILE"`
    const { stdout } = spawnSync('unshare', ['-n', 'sh'], { input: script, encoding: 'utf8' })
    const lines = stdout.split('\n').filter((line) => /^(-A|TAKEN)/.test(line))
    expect(lines.map((line) => line.replace('-A FORWARD ', ''))).toEqual(RULES.map(([rule, as]) => as ?? rule))
  })

  test('are held against the sets that there are, each at its place', () => {
    const store = newStore()
    run(store, 'create a hash:ip', 'create a6 hash:ip family inet6', 'create m hash:mac')
    const lines = [
      '-m set --match-set a src',
      '-m set --match-set nosuch src',
      '-j SET --add-set a src --del-set a6 dst',
      '-m set ! --match-set m src -m set --match-set a dst',
    ]
    const rules = parse(lines)
    const wrong = ["Set nosuch doesn't exist.", 'The protocol family of set a6 is IPv6, which is not applicable.']
    expect(wrongSets(rules, store)).toEqual(wrong)
    const read = () => parseRestore(file(lines), { file: 'rules', family: 4, sets: store })
    expect(read).toThrow(`rules:3:31: ${wrong[0]}\nrules:4:45: ${wrong[1]}`)
    const names = [...rules.tables.values()][0]!.chains
      .get('FORWARD')!
      .rules.flatMap(({ matches, action }) => [
        ...matches.flatMap(setsNamed),
        ...(action?.kind === 'target' ? setsNamed(action) : []),
      ])
    expect(names).toEqual(['a', 'nosuch', 'a', 'a6', 'm', 'a'])
  })
})
