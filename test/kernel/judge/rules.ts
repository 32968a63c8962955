// Random rule sets that mean something to the packets of the same network. What only a clock or a dice could tell apart is left
// out: limits refill so slowly here that no run sees it, and `statistic` counts.

import type { Chance } from './chance.ts'
import type { Network } from './network.ts'

type Table = 'raw' | 'mangle' | 'nat' | 'filter' | 'security'

const BASES: Readonly<Record<Table, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
}
const IN = ['PREROUTING', 'INPUT', 'FORWARD']
const OUT = ['FORWARD', 'OUTPUT', 'POSTROUTING']
const STATES = ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED', 'SNAT', 'DNAT']
const FLAGS = ['SYN', 'ACK', 'FIN', 'RST', 'URG', 'PSH']
const REJECTS = [
  'icmp-net-unreachable',
  'icmp-host-unreachable',
  'icmp-port-unreachable',
  'icmp-proto-unreachable',
  'icmp-net-prohibited',
  'icmp-host-prohibited',
  'icmp-admin-prohibited',
]

/** Lines of one rule set, each of which may be left out: the text of `rulesText`. */
export interface Rules {
  /** `filter`, then its lines: chains, policies, rules. */
  readonly tables: readonly (readonly [table: Table, lines: readonly string[]])[]
}

export function rulesText({ tables }: Rules): string {
  return tables.map(([table, lines]) => [`*${table}`, ...lines, 'COMMIT', ''].join('\n')).join('')
}

export function rules(chance: Chance, net: Network): Rules {
  const writer = new RuleWriter(chance, net)
  const tables: (readonly [Table, readonly string[]])[] = []
  if (chance.once(4)) tables.push(['raw', writer.table('raw', 3)])
  if (chance.once(2)) tables.push(['mangle', writer.table('mangle', 6)])
  if (!chance.once(3)) tables.push(['nat', writer.table('nat', 5)])
  tables.push(['filter', writer.table('filter', 10)])
  if (chance.once(10)) tables.push(['security', writer.table('security', 3)])
  return { tables }
}

class RuleWriter {
  readonly #chance: Chance
  readonly #net: Network
  #names = 0

  constructor(chance: Chance, net: Network) {
    this.#chance = chance
    this.#net = net
  }

  table(table: Table, most: number): string[] {
    const chance = this.#chance
    const user = Array.from({ length: chance.below(3) }, (_, i) => `user${i}`)
    const lines = user.map((chain) => `:${chain} - [0:0]`)
    if (table !== 'nat' && chance.once(4)) lines.push(`:${chance.pick(BASES[table])} DROP [0:0]`)
    // A user chain is only jumped to from those before it, and its rules stand where every caller may use them.
    for (const [i, chain] of user.entries())
      for (let n = chance.below(4); n > 0; n--) lines.push(`-A ${chain} ${this.#rule(table, '', user.slice(i + 1))}`)
    for (let n = chance.between(1, most); n > 0; n--) {
      const base = chance.pick(BASES[table])
      lines.push(`-A ${base} ${this.#rule(table, base, user)}`)
    }
    return lines
  }

  #rule(table: Table, base: string, user: readonly string[]): string {
    const chance = this.#chance
    const target = this.#target(table, base, user)
    const words = [...this.#conditions(base, target.protocol)]
    const matches = chance.pick([0, 0, 1, 1, 1, 2])
    for (let i = 0; i < matches; i++) words.push(this.#match(table, base))
    words.push(target.text)
    return words.filter((word) => word !== '').join(' ')
  }

  #not(): string {
    return this.#chance.once(5) ? '! ' : ''
  }

  #address(): string {
    const { hosts, own } = this.#net
    const address = this.#chance.pick([...hosts.map((host) => host.address), ...own])
    return `${address}${this.#chance.pick(['', '', '/24', '/30', '/8', '/255.255.0.255'])}`
  }

  #port(): number {
    return this.#chance.pick(this.#net.ports)
  }

  #ports(): string {
    const [a, b] = [this.#port(), this.#port()]
    return this.#chance.once(3) ? `${Math.min(a, b)}:${Math.max(a, b)}` : String(a)
  }

  #conditions(base: string, wanted: string | undefined): string[] {
    const chance = this.#chance
    const words: string[] = []
    if (chance.once(4)) words.push(`${this.#not()}-s ${this.#address()}`)
    if (chance.once(4)) words.push(`${this.#not()}-d ${this.#address()}`)
    if (IN.includes(base) && chance.once(4)) words.push(`${this.#not()}-i ${this.#device()}`)
    if (OUT.includes(base) && chance.once(4)) words.push(`${this.#not()}-o ${this.#device()}`)
    if (wanted === undefined && chance.once(20)) words.push(chance.pick(['-f', '! -f']))
    const protocol = wanted ?? chance.pick(['', '', 'tcp', 'tcp', 'udp', 'icmp', 'other'])
    if (protocol === 'tcp') words.push(...this.#tcp())
    else if (protocol === 'udp') words.push('-p udp -m udp', ...this.#transportPorts())
    else if (protocol === 'icmp')
      words.push(`-p icmp -m icmp ${this.#not()}--icmp-type ${chance.pick(['8', '0', '3', '3/3', '11', 'any'])}`)
    else if (protocol === 'other') words.push(`${this.#not()}-p ${chance.pick(['47', '50', '132', '17', '6', '1'])}`)
    return words
  }

  #device(): string {
    return this.#chance.pick([...this.#net.devices, 'tun+', 'lo'])
  }

  #transportPorts(): string[] {
    const words: string[] = []
    if (this.#chance.once(2)) words.push(`${this.#not()}--dport ${this.#ports()}`)
    if (this.#chance.once(5)) words.push(`${this.#not()}--sport ${this.#ports()}`)
    return words
  }

  #tcp(): string[] {
    const chance = this.#chance
    const words = ['-p tcp -m tcp', ...this.#transportPorts()]
    if (chance.once(4)) words.push(`${this.#not()}--tcp-flags ${chance.some(FLAGS)} ${chance.some(FLAGS)}`)
    else if (chance.once(6)) words.push(`${this.#not()}--syn`)
    if (chance.once(10)) words.push(`${this.#not()}--tcp-option ${chance.pick([2, 3, 4, 8])}`)
    return words
  }

  #match(table: Table, base: string): string {
    const chance = this.#chance
    const not = this.#not()
    const early = table === 'raw'
    const all: (() => string)[] = [
      () => `-m mark ${not}--mark ${chance.pick(['0x1', '0x2/0x2', '0x0', '0x5/0xf'])}`,
      () => `-m length ${not}--length ${chance.pick(['0:60', '28', '100:600', '1000:65535'])}`,
      () => `-m ttl --ttl-${chance.pick(['eq 63', 'lt 5', 'gt 64', 'eq 64'])}`,
      () => `-m tos ${not}--tos ${chance.pick(['0x10', '0x00', '0x08/0x1c'])}`,
      () => `-m dscp ${not}--dscp ${chance.pick(['0x00', '0x04', '0x2e'])}`,
      () => `-m iprange ${not}--${chance.pick(['src', 'dst'])}-range 10.0.1.2-10.0.1.${chance.pick([2, 50, 200])}`,
      () =>
        `-m addrtype ${not}--${chance.pick(['src', 'dst'])}-type ${chance.pick(['LOCAL', 'UNICAST', 'BROADCAST', 'MULTICAST'])}`,
      () => `-m pkttype ${not}--pkt-type ${chance.pick(['unicast', 'broadcast', 'multicast'])}`,
      () => `-m limit --limit 1/hour --limit-burst ${chance.pick([1, 3, 10])}`,
      () => `-m statistic --mode nth --every ${chance.pick([2, 3])} --packet ${chance.below(2)}`,
      () => `-m quota ${not}--quota ${chance.pick([100, 1000, 5000])}`,
      () => `-m string --algo ${chance.pick(['bm', 'kmp'])} --string ${chance.pick(['GET', 'abc', 'xyz'])}`,
      () => `-m u32 --u32 "${chance.pick(['6&0xFF=0x6', '0>>22&0x3C@0>>16=0:1023', '2&0xFFFF=0x20:0x40'])}"`,
      () => `-m comment --comment "number ${++this.#names}"`,
      () =>
        `-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst ${chance.pick([1, 4])} --hashlimit-mode ${chance.pick(['srcip', 'dstip', 'srcip,dstport'])} --hashlimit-name h${++this.#names}`,
      () =>
        `-m recent --name r${chance.below(2)} ${chance.pick(['--set', '--rcheck', '--update --seconds 6000', '--rcheck --hitcount 2', '--remove'])} --rsource`,
    ]
    if (!early)
      all.push(
        () => `-m conntrack ${not}--ctstate ${chance.some(STATES)}`,
        () => `-m conntrack ${not}--ctstate ${chance.some(STATES)}`,
        () => `-m state ${not}--state ${chance.some(STATES.slice(0, 5))}`,
        () => `-m conntrack --ctdir ${chance.pick(['ORIGINAL', 'REPLY'])}`,
        () => `-m conntrack ${not}--ctstatus ${chance.some(['SEEN_REPLY', 'ASSURED', 'CONFIRMED'])}`,
        () =>
          `-m conntrack ${not}--ct${chance.pick(['orig', 'repl'])}${chance.pick(['src', 'dst'])} ${this.#address().replace(/\/255.*/, '')}`,
        () => `-m conntrack ${not}--ctproto ${chance.pick(['6', '17', '1'])}`,
        () => `-m connmark ${not}--mark ${chance.pick(['0x1', '0x0', '0x2/0x3'])}`,
        // Not connlimit: within one tick the kernel counts packets that were dropped.
        () =>
          `-m connbytes ${not}--connbytes ${chance.pick(['1:2', '3', '100:900'])} --connbytes-mode ${chance.pick(['packets', 'bytes', 'avgpkt'])} --connbytes-dir ${chance.pick(['both', 'original', 'reply'])}`,
      )
    if (base === 'OUTPUT' || base === 'POSTROUTING') all.push(() => `-m owner ${not}--uid-owner 0`)
    return chance.pick(all)()
  }

  #target(table: Table, base: string, user: readonly string[]): { text: string; protocol?: string } {
    const chance = this.#chance
    const plain = (text: string) => ({ text })
    if (user.length > 0 && chance.once(4)) return plain(`${chance.once(4) ? '-g' : '-j'} ${chance.pick(user)}`)
    if (chance.once(10)) return plain(chance.pick(['', '-j RETURN']))
    if (chance.once(15)) return plain(`-j LOG --log-prefix "l${++this.#names} "`)
    switch (table) {
      case 'raw':
        return plain(
          chance.pick(['-j NOTRACK', '-j CT --notrack', `-j CT --zone ${chance.below(3)}`, '-j DROP', '-j ACCEPT']),
        )
      case 'mangle':
        return this.#mangle()
      case 'nat':
        return this.#nat(base)
      case 'filter':
        return this.#filter()
      default:
        return plain(chance.pick(['-j ACCEPT', '-j DROP']))
    }
  }

  #mangle(): { text: string; protocol?: string } {
    const chance = this.#chance
    return chance.pick([
      { text: `-j MARK --set-xmark 0x${chance.below(8)}/0x${chance.pick(['f', 'ffffffff', '3'])}` },
      { text: `-j MARK --or-mark 0x${chance.below(8)}` },
      { text: `-j CONNMARK --set-xmark 0x${chance.below(4)}/0xf` },
      { text: '-j CONNMARK --save-mark' },
      { text: '-j CONNMARK --restore-mark' },
      { text: `-j TOS --set-tos ${chance.pick(['0x10', '0x08/0x1c', '0x00'])}` },
      { text: `-j DSCP --set-dscp ${chance.pick(['0x2e', '0x00'])}` },
      { text: `-j TTL --ttl-${chance.pick(['set 64', 'dec 1', 'inc 2', 'set 1'])}` },
      { text: '-j TCPOPTSTRIP --strip-options 3,8', protocol: 'tcp' },
      { text: '-j ECN --ecn-tcp-remove', protocol: 'tcp' },
      { text: '-j DROP' },
      { text: '-j ACCEPT' },
    ])
  }

  #nat(base: string): { text: string; protocol?: string } {
    const chance = this.#chance
    const { hosts, own } = this.#net
    const host = chance.pick(hosts).address
    const transport = chance.pick(['tcp', 'udp'])
    const port = this.#port()
    if (base === '') return { text: chance.pick(['-j ACCEPT', '-j RETURN', '']) }
    if (chance.once(8)) return { text: '-j ACCEPT' }
    if (base === 'PREROUTING' || base === 'OUTPUT')
      return chance.pick([
        { text: `-j DNAT --to-destination ${host}` },
        { text: `-j DNAT --to-destination ${host}:${port}`, protocol: transport },
        { text: `-j DNAT --to-destination ${host}:5000-5999`, protocol: transport },
        { text: '-j DNAT --to-destination 10.0.1.2-10.0.1.9' },
        { text: `-j REDIRECT --to-ports ${port}`, protocol: transport },
        { text: '-j REDIRECT' },
        { text: '-j NETMAP --to 203.0.113.0/28' },
      ])
    const source = chance.pick([...own, '203.0.113.50'])
    const all = [
      { text: `-j SNAT --to-source ${source}` },
      { text: `-j SNAT --to-source ${source}:3000-3999`, protocol: transport },
      { text: '-j SNAT --to-source 203.0.113.50-203.0.113.53' },
      { text: '-j SNAT --to-source 203.0.113.50-203.0.113.53 --persistent' },
      { text: '-j NETMAP --to 203.0.113.64/28' },
    ]
    if (base === 'POSTROUTING')
      all.push(
        { text: '-j MASQUERADE' },
        { text: '-j MASQUERADE' },
        { text: '-j MASQUERADE --to-ports 2000-2999', protocol: transport },
        { text: '-j MASQUERADE --random' },
      )
    return chance.pick(all)
  }

  #filter(): { text: string; protocol?: string } {
    const chance = this.#chance
    return chance.pick([
      { text: '-j ACCEPT' },
      { text: '-j ACCEPT' },
      { text: '-j ACCEPT' },
      { text: '-j DROP' },
      { text: `-j REJECT --reject-with ${chance.pick(REJECTS)}` },
      { text: '-j REJECT --reject-with tcp-reset', protocol: 'tcp' },
    ])
  }
}
