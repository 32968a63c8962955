// The table of facts in README.md has every line from 1 to 39, and names for each family files that are there, that speak of that family,
// and that hold what the line is about: the options, targets, states and answers without which it could not be tested at all. Whether a
// scenario is right the kernel says; this says only that none stands in a line to which it has nothing to say.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const folder = import.meta.dirname
const rows = readFileSync(join(folder, 'README.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| \d+\. /.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, fact, four, six]) => ({ number: Number.parseInt(fact!, 10), four: namesOf(four!), six: namesOf(six!) }))

function namesOf(cell: string): string[] {
  return cell.split(', ').map((name) => (name.startsWith('`') ? name.slice(1, -1) : `${name}.yaml`))
}

/** What the files of a line have to hold between them, for both families; and for one of them where they differ. */
interface About {
  both?: readonly RegExp[]
  four?: readonly RegExp[]
  six?: readonly RegExp[]
}

const LOGGED = ['raw', 'mangle', 'nat', 'filter', 'security'].map((table) => RegExp(`prefix "${table}-`))

const ABOUT: Readonly<Record<number, About>> = {
  1: { both: [...LOGGED, /security-INPUT IN=.*\n *nat-INPUT IN=/] },
  2: { both: [/\*mangle\n *-A POSTROUTING .*-j DROP/, /--ctstate NEW -j DROP/, /^conntrack:/m] },
  3: { both: [/^conntrack: nothing/m], four: [/-A \w+ -f/], six: [/ fh:/] },
  4: {
    both: [/mtu:/],
    four: [/time-exceeded .* ttl 1\b/, /frag-needed/],
    six: [/time-exceeded .* hl 1\b/, /packet-too-big/],
  },
  5: { both: [/ -g \w+/, /-A FORWARD .*-j RETURN/, /:FORWARD DROP/] },
  6: { both: [/:FORWARD DROP \[[1-9]/, /\[[1-9]\d*:\d+\] -A FORWARD .*-j sub/, /-j RETURN/] },
  7: { both: [/NFQUEUE --queue-num \d+\n/, /--queue-bypass/, /\*security/] },
  8: { both: [/-j NFQUEUE/, /repeat/i] },
  9: { both: [/rules6?: \|\n *\*nat/, /-A POSTROUTING -j ACCEPT/, /:POSTROUTING ACCEPT \[0:0\]/] },
  10: { both: [/-j SNAT/, /\$p\[/] },
  11: { both: [/-j SNAT --to-source \S+-\S+/, /\$a:\$p|\$p >/] },
  12: {
    four: [/\[1-511\]/, /\[512-1023\]|\[600-1023\]/, /\[1024-65535\]/, /echo-request id \$/],
    six: [/\[1-511\]/, /\[512-1023\]|\[600-1023\]/, /\[1024-65535\]/, /echo-request id \$/],
  },
  13: { both: [/--to-ports 3000-3001/, /--to-source \S+:\d+\n/, /out: nothing/] },
  14: { both: [/ --random\n/, /--random-fully/] },
  15: { both: [/--to-source \S+-\S+\n/, /--persistent/] },
  16: { both: [/DNAT --to-destination \S+:\d+-\d+\n/, /DNAT --to-destination \S+:\d+-\d+\/\d+/] },
  17: { both: [/MASQUERADE/, /addr del/, /src: /] },
  18: { both: [/-A PREROUTING .*-j REDIRECT/] },
  19: { both: [/-A OUTPUT .*-j DNAT/, /-A OUTPUT .*-j MARK/] },
  20: {
    both: [/-A INPUT .*-j SNAT/],
    four: [/route_localnet: 1/, /to-destination 127\.0\.0\.1/],
    six: [/to-destination ::1/],
  },
  21: { both: [/-j MASQUERADE/, /sum bad/, /echo-reply/, / S\. /, /^conntrack: nothing/m] },
  22: { both: [/-j (SNAT|MASQUERADE|DNAT)/, /in \w+: icmp.*-unreachable \[/, /out \w+: icmp.*-unreachable \[/] },
  23: { both: [/-j DNAT/, /port-unreachable|time-exceeded|tcp-reset/] },
  24: { both: [/ sum 0/, /-j (SNAT|MASQUERADE|DNAT)/] },
  25: { both: [/INVALID/, / S\. /, / R /, / F /, / none /, /SF|FS/, / \. /] },
  26: { both: [/RELATED/, /unreachable/, / 47 | gre /], six: [/UNTRACKED/] },
  27: { both: [/--ctstate SNAT/, /--ctstate DNAT/, /--ctstate NEW,SNAT/] },
  28: {
    both: [
      / 120 SYN_SENT/,
      / 60 SYN_RECV/,
      / 432000 ESTABLISHED/,
      / 300 ESTABLISHED/,
      / 120 FIN_WAIT/,
      / 60 CLOSE_WAIT/,
      / 30 LAST_ACK/,
      / 120 TIME_WAIT/,
      / 10 CLOSE /,
      / udp 17 30/,
      / udp 17 120/,
      / icmp(v6)? \d+ 30/,
      / gre 47 30/,
      / unknown \d+ 600/,
    ],
  },
  29: { both: [/CT --zone \d/, /CT --zone-orig/, /CT --zone-reply/, /zone=5/] },
  30: { both: [/--helper ftp/, /PORT |EPRT /, /RELATED/] },
  31: { both: [/-j REJECT --reject-with tcp-reset/, /-j REJECT --reject-with icmp6?-/], four: [/cut 548/] },
  32: { both: [/--clamp-mss-to-pmtu/, /--set-mss/, /mtu:/] },
  33: { four: [/redirect-host/, /out: nothing/], six: [/redirect/, /out: nothing/] },
  34: { both: [/--limit \d/, /--mode nth/, /--mode random/, /-m recent .*--update/, /-m recent .*--rcheck/] },
  35: { both: [/-j LOG/, /-j TRACE/, /TRACE: /] },
  36: { both: [/--save|saved|restore/] },
  37: { both: [/status/] },
  38: { both: [/-S /, /wait|command-lines/] },
  39: { both: [/--noflush|restore/] },
}

const TEXTS = new Map<string, string>()
function textOf(name: string): string {
  const text = TEXTS.get(name) ?? readFileSync(join(folder, name), 'utf8')
  TEXTS.set(name, text)
  return text
}

test('every fact about Linux has a file for each family, and the file is there', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 39 }, (_, i) => i + 1))
  const missing = rows.flatMap(({ number, four, six }) =>
    [...four, ...six].filter((name) => !existsSync(join(folder, name))).map((name) => `${number}: ${name}`),
  )
  expect(missing).toEqual([])
})

test('a scenario that is named for a family has packets of that family', () => {
  const ADDRESS = { four: /^ *(- )?(in|out) .*\d+\.\d+\.\d+\.\d+/m, six: /^ *(- )?(in|out) .*[0-9a-f]*:[0-9a-f:]*:/m }
  const silent = rows.flatMap(({ number, ...row }) =>
    (['four', 'six'] as const).flatMap((family) =>
      row[family]
        .filter((name) => name.endsWith('.yaml') && !ADDRESS[family].test(textOf(name).replaceAll(/:\n *- /g, ': ')))
        .map((name) => `${number}, ${family}: ${name}`),
    ),
  )
  expect(silent).toEqual([])
})

test('what a fact is about stands in the files that are named for it', () => {
  const lacking = rows.flatMap(({ number, ...row }) =>
    (['four', 'six'] as const).flatMap((family) => {
      const text = row[family].map(textOf).join('\n')
      const wanted = [...(ABOUT[number]!.both ?? []), ...(ABOUT[number]![family] ?? [])]
      expect(wanted.length).toBeGreaterThan(0)
      return wanted.filter((words) => !words.test(text)).map((words) => `${number}, ${family}: ${words}`)
    }),
  )
  expect(lacking).toEqual([])
})
