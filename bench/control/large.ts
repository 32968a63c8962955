// What a command costs where there are many chains: kube-proxy's nat table of 10,000 services (110,000 rules in 40,000 chains), and
// the commands that kube-proxy and people use on it, beside the real tools. Each is called once a round, in turn.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { figure, median, type Result, round, say } from '../figure.ts'
import { isInPath } from '../path/programs.ts'
import { kubeProxy } from '../rules/sets.ts'
import { withGateway } from './gateway.ts'

/** The cheaper real command's price that ours may cost. */
const MOST = 2
const WHERE = 'kube-proxy, 10,000 services'
const RULE = '-s 192.0.2.1 -p tcp -m tcp --dport 80 -j ACCEPT'

/** In this order: each begins with what those before it left. */
const COMMANDS: readonly (readonly [name: string, words: string])[] = [
  ['-I', `-t nat -I PREROUTING ${RULE}`],
  ['-C', `-t nat -C PREROUTING ${RULE}`],
  ['-D', `-t nat -D PREROUTING ${RULE}`],
  ['-I, among 10,000 rules', `-t nat -I KUBE-SERVICES ${RULE}`],
  [
    '-C, the last of 10,000 rules',
    '-t nat -C KUBE-SERVICES -m comment --comment "kubernetes service nodeports" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
  ],
  ['-D, among 10,000 rules', `-t nat -D KUBE-SERVICES ${RULE}`],
  ['-N', '-t nat -N FRESH'],
  ['-A, a jump', '-t nat -A KUBE-NODEPORTS -j FRESH'],
  ['-D, a jump', '-t nat -D KUBE-NODEPORTS -j FRESH'],
  ['-X', '-t nat -X FRESH'],
  ['-S CHAIN', '-t nat -S KUBE-POSTROUTING'],
  ['-n -L CHAIN', '-t nat -n -L KUBE-POSTROUTING'],
  ['-n -v -L CHAIN', '-t nat -n -v -L KUBE-POSTROUTING'],
]
const RESTORE = 'a restore --noflush of one service'
const REMOVE = 'a restore --noflush that takes it away'

/** A service with two endpoints, as kube-proxy adds it, and as it takes it away. */
const SERVICE = `*nat
:KUBE-SVC-NEW - [0:0]
:KUBE-SEP-NEW1 - [0:0]
:KUBE-SEP-NEW2 - [0:0]
-A KUBE-NODEPORTS -p tcp -m comment --comment "default/new:http" -m tcp --dport 30080 -j KUBE-SVC-NEW
-A KUBE-SVC-NEW -m comment --comment "default/new:http" -m statistic --mode random --probability 0.5 -j KUBE-SEP-NEW1
-A KUBE-SVC-NEW -m comment --comment "default/new:http" -j KUBE-SEP-NEW2
-A KUBE-SEP-NEW1 -s 10.246.0.1/32 -m comment --comment "default/new:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-NEW1 -p tcp -m comment --comment "default/new:http" -m tcp -j DNAT --to-destination 10.246.0.1:80
-A KUBE-SEP-NEW2 -s 10.246.0.2/32 -m comment --comment "default/new:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-NEW2 -p tcp -m comment --comment "default/new:http" -m tcp -j DNAT --to-destination 10.246.0.2:80
COMMIT
`
const NO_SERVICE = `*nat
:KUBE-NODEPORTS - [0:0]
:KUBE-SVC-NEW - [0:0]
:KUBE-SEP-NEW1 - [0:0]
:KUBE-SEP-NEW2 - [0:0]
-X KUBE-SVC-NEW
-X KUBE-SEP-NEW1
-X KUBE-SEP-NEW2
COMMIT
`

export async function largeTable(quick: boolean): Promise<Result> {
  const tools = ['iptables-legacy', 'iptables-nft']
  if (process.getuid?.() !== 0 || !tools.every(isInPath))
    return { figures: [], targets: [], skipped: [`commands on a large table: needs root, ${tools.join(' and ')}`] }
  say('control: commands on a large table')
  const names = [...COMMANDS.map(([name]) => name), RESTORE, REMOVE]
  const sides = ['tunfilter', ...tools]
  const values = await withGateway(({ folder, bin, env }) => {
    for (const [file, text] of Object.entries({ rules: kubeProxy(10_000), service: SERVICE, none: NO_SERVICE }))
      writeFileSync(join(folder, file), text)
    const timed = (command: string) =>
      `s=$(date +%s%N); ${command} > /dev/null || exit 1; echo $((($(date +%s%N) - s) / 1000))`
    const program = (side: string) => (side === 'tunfilter' ? `${bin}/iptables` : side)
    const round = sides.flatMap((side) => [
      ...COMMANDS.map(([, words]) => timed(`${program(side)} ${words}`)),
      ...['service', 'none'].map((file) => timed(`${program(side)}-restore --noflush < ${folder}/${file}`)),
    ])
    const script = [
      ...sides.map((side) => `${program(side)}-restore < ${folder}/rules || exit 1`),
      ...Array.from({ length: quick ? 3 : 7 }, () => round).flat(),
    ].join('\n')
    const printed = execFileSync('unshare', ['-n', 'sh', '-c', script], { encoding: 'utf8', timeout: 600_000, env })
    return printed.trim().split('\n').map(Number)
  })
  const of = (side: number, command: number) =>
    values.filter((_, i) => i % (sides.length * names.length) === side * names.length + command)
  const figures = names.flatMap((name, command) =>
    sides.map((who, side) =>
      figure(
        name.startsWith('-') ? `iptables ${name}` : name,
        WHERE,
        'ms',
        of(side, command).map((us) => us / 1000),
        { who },
      ),
    ),
  )
  const targets = names.map((name, command) => {
    const ratio = round(median(of(0, command)) / Math.min(median(of(1, command)), median(of(2, command))))
    return {
      what: `${name.startsWith('-') ? `iptables ${name}` : name}, ${WHERE}`,
      wanted: `at most ${MOST} times the cheaper of the real ones`,
      got: `${ratio} times`,
      held: ratio <= MOST,
    }
  })
  return { figures, targets, skipped: [] }
}
