// Command lines and rule files that were damaged, by the thousand: each is done or refused with a status and a message, nothing is
// thrown, and what is refused has changed nothing. The same values every time in CI; `GEN=100000 npx vitest run test/fuzz/commands`
// tries more.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runCommand } from '../../src/control/in-process.ts'
import { Router } from '../engine/router.ts'

const RUNS = Number(process.env.GEN ?? 10_000)

const RULES = `*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 53 -j CT --notrack
COMMIT
*mangle
-A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-A PREROUTING -m set --match-set blocked src,dst -j MARK --set-xmark 0x1/0xff
COMMIT
*nat
:MINE - [1:2]
-A PREROUTING -d 203.0.113.1/32 -p tcp -m multiport --dports 80,443,8000:8100 -j DNAT --to-destination 10.0.1.2-10.0.1.9:80-90
-A POSTROUTING -o wan -j MASQUERADE --random-fully
-A OUTPUT -m addrtype --dst-type LOCAL -j MINE
COMMIT
*filter
:INPUT DROP [0:0]
:MINE - [0:0]
[3:4] -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -i lan -p icmp --icmp-type echo-request -m limit --limit 5/sec --limit-burst 7 -j ACCEPT
-A INPUT -m comment --comment "a \\"quoted\\" word" -g MINE
-A FORWARD -m hashlimit --hashlimit-name h --hashlimit-above 10/min --hashlimit-mode srcip -j DROP
-A FORWARD -m recent --name r --update --seconds 60 --hitcount 4 -j REJECT --reject-with tcp-reset -p tcp
-A FORWARD -m string --string "|00ff|x" --algo bm -m u32 --u32 "0>>22&0x3C@4>>8&0xFF=1:5,7" -j LOG --log-prefix "p: "
-A MINE -m iprange --src-range 10.0.0.1-10.0.0.9 -m statistic --mode nth --every 3 --packet 1 -j RETURN
-A MINE -j SET --add-set blocked src --exist --timeout 60
COMMIT
`

const COMMANDS = [
  'iptables -A INPUT -s 10.0.0.0/8 ! -d 10.1.0.0/255.255.0.0 -p tcp --dport 22:80 -m conntrack ! --ctstate NEW -j ACCEPT',
  'iptables -t nat -I PREROUTING 1 -p udp --dport 53 -j REDIRECT --to-ports 1053',
  'iptables -w 5 -C INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  'iptables -R INPUT 2 -m mac --mac-source 00:11:22:33:44:55 -m time --timestart 10:00 --weekdays Mo,Tu -j DROP',
  'iptables -D FORWARD 1',
  'iptables -D INPUT -m comment --comment x -g MINE',
  'iptables -t mangle -N A-NEW-CHAIN',
  'iptables -X MINE',
  'iptables -F MINE',
  'iptables -E MINE YOURS',
  'iptables -P INPUT ACCEPT',
  'iptables -Z INPUT 1',
  'iptables -nvxL INPUT --line-numbers',
  'iptables -t nat -v -S MINE 1',
  'iptables -A OUTPUT -m owner --uid-owner 0-99 -m policy --dir out --pol none -j NFQUEUE --queue-num 3 --queue-bypass',
  'iptables-save -c -t filter',
  'ip6tables -A INPUT -s 2001:db8::/32 -p ipv6-icmp --icmpv6-type 128/0 -m frag --fragid 1:5 -j DROP',
  'ip6tables -t mangle -A PREROUTING -m rt --rt-type 0 -m hbh --hbh-opts 5 -j HL --hl-inc 1',
  'ipset create more hash:net,iface family inet6 hashsize 64 maxelem 9 timeout 5 counters comment',
  'ipset add blocked 10.0.0.0-10.0.0.9,tcp:80-90 timeout 7 comment hello',
  'ipset del blocked 10.0.0.1,udp:53',
  'ipset test blocked 10.0.0.1,icmp:echo-request',
  'ipset create b bitmap:ip range 10.0.0.0/24 netmask 28',
  'ipset -exist rename b c',
  'ipset swap blocked b',
  'ipset list -o xml -t blocked',
  'ipset -! destroy b',
].map((line) => line.split(' '))

const SETS =
  'create blocked hash:ip,port timeout 600 comment\nadd blocked 10.0.0.1,udp:53\ncreate other hash:net\nadd other 10.0.0.0/8 nomatch\n'

const nasty = fc.constantFrom(
  ...[
    '',
    '-',
    '--',
    '!',
    '-1',
    '0',
    '4294967296',
    '99999999999999999999',
    '0x',
    '1/0',
    '::',
    '0.0.0.0/0',
    'a'.repeat(300),
  ],
  ...[
    '\0',
    '\n',
    '\r',
    '\t',
    '"',
    "'",
    '\\',
    '\ud800',
    '\ufffd',
    '\u202e',
    '😀',
    '%s%n',
    '$(x)',
    '-t',
    '--opt=',
    '__proto__',
  ],
  ...['constructor', 'toString', 'INPUT', 'MINE', 'blocked', '10.0.0.0/8', '1:2:3', ',', ':', '*nat', 'COMMIT'],
)

interface Edit {
  readonly at: number
  readonly kind: 'delete' | 'double' | 'insert' | 'replace' | 'within'
  readonly text: string
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('delete', 'double', 'insert', 'replace', 'within'),
  text: nasty,
})
const edits = fc.array(edit, { minLength: 1, maxLength: 4 })

/** Some pieces are changed; `within` cuts a piece in two and puts the text between. */
function damaged(pieces: readonly string[], changes: readonly Edit[]): string[] {
  const left = [...pieces]
  for (const { at, kind, text } of changes) {
    if (left.length === 0) return [text]
    const i = at % left.length
    const piece = left[i]!
    if (kind === 'delete') left.splice(i, 1)
    else if (kind === 'double') left.splice(i, 0, piece)
    else if (kind === 'insert') left.splice(i, 0, text)
    else if (kind === 'replace') left[i] = text
    else left[i] = piece.slice(0, at % (piece.length + 1)) + text + piece.slice(at % (piece.length + 1))
  }
  return left
}

/** A router with these rules and sets, and everything of it that a refused command must leave as it is. */
function begin() {
  const router = new Router()
  const { engine } = router
  expect(engine.ipset(['restore'], SETS)).toEqual({ status: 0, stdout: '', stderr: '' })
  engine.load(RULES)
  // A table is there from the first command on that asks for it, refused or not, as the kernel loads its module then.
  const untouched = /\*\w+\n(:\S+ ACCEPT \[0:0\]\n)+COMMIT\n/g
  const rules = (family: 4 | 6) => engine.saveRules({ family }).replace(untouched, '')
  const state = () => [rules(4), rules(6), ...engine.saveSets()].join('')
  return { engine, state }
}

function check(argv: readonly string[], input: string, around: ReturnType<typeof begin>): 'done' | 'refused' {
  const { engine, state } = around
  const before = state()
  const said = { argv, ...runCommand(engine, argv, input) }
  expect([0, 1, 2, 3, 4], JSON.stringify(said)).toContain(said.status)
  if (said.status === 0) return 'done'
  // What asks a question may answer it by the status alone.
  if (!argv.includes('-q') && !argv.includes('-quiet')) expect(said.stderr, JSON.stringify(said)).not.toBe('')
  if (argv[0] !== 'ipset' || !argv.some((word) => /^(-?-?r|-R)/.test(word))) expect(state()).toBe(before)
  return 'refused'
}

test('damaged command lines are done or refused, and nothing else', { timeout: 600_000 }, () => {
  const seen = { done: 0, refused: 0 }
  let around = begin()
  const property = fc.property(fc.constantFrom(...COMMANDS), edits, ([name = '', ...words], changes) => {
    seen[check([name, ...damaged(words, changes)], SETS, around)]++
    if (seen.done % 50 === 49) around = begin()
  })
  fc.assert(property, { numRuns: RUNS, endOnFailure: true })
  expect(seen.done).toBeGreaterThan(RUNS / 100)
  expect(seen.refused).toBeGreaterThan(RUNS / 20)
})

test('damaged rule files are loaded or refused whole', { timeout: 600_000 }, () => {
  const seen = { done: 0, refused: 0 }
  let around = begin()
  const lines = RULES.split('\n')
  const property = fc.property(edits, fc.boolean(), (changes, noflush) => {
    const whole = damaged(lines, changes).join('\n')
    seen[check(['iptables-restore', ...(noflush ? ['--noflush'] : [])], whole, around)]++
    if (seen.done % 10 === 9) around = begin()
  })
  fc.assert(property, { numRuns: RUNS / 10, endOnFailure: true })
  expect(seen.done).toBeGreaterThan(RUNS / 200)
  expect(seen.refused).toBeGreaterThan(RUNS / 50)
})

test('damaged sets are loaded whole or refused whole, and as a restore up to the line that is wrong', {
  timeout: 600_000,
}, () => {
  const lines = SETS.replaceAll('blocked', 'x').replaceAll('other', 'y').split('\n')
  let loaded = 0
  const property = fc.property(edits, (changes) => {
    const { engine, state } = begin()
    const before = state()
    const text = damaged(
      lines.flatMap((line) => [...line.split(/( )/), '\n']),
      changes,
    ).join('')
    try {
      engine.loadSets(text)
      loaded++
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_SETS' })
      expect(state()).toBe(before)
    }
    const { status, stderr } = engine.ipset(['restore'], text)
    if (status !== 0) expect(stderr).toMatch(/^ipset v7\.17: |^Warning: |is NOT in set/)
  })
  fc.assert(property, { numRuns: RUNS / 10, endOnFailure: true })
  expect(loaded).toBeGreaterThan(RUNS / 500)
})
