// Rules made from the declarations themselves, so that a new match or target is tried without a line about it: each option, negated
// and not, with values that it names, with odd ones, and with none of what it needs around it. Whether a case is right is
// not known here: this project and the real tools are both asked.

import type { AnyDeclaration } from '../../src/iptables/registry.ts'
import { BUILTIN_CHAINS, type Family, TABLE_NAMES, type TableName } from '../../src/rule/model.ts'
import { protocolName } from '../../src/rule/names.ts'
import { type Option, Problem } from '../../src/rule/option.ts'

/** A rule as it stands in a file of its own. */
export interface Case {
  readonly family: Family
  readonly table: TableName
  readonly rule: string
}

const ODD =
  `0 1 2 7 8 15 16 31 32 63 64 65 100 127 128 255 256 1000 4095 65535 65536 100000 2147483647 2147483648 4294967295
4294967296 18446744073709551615 18446744073709551616 -1 +1 01 010 0x0 0x1 0x10 0xff 0xffff 0xffffffff 0x100000000 1x x 1.5
0:0 1:2 2:1 5: :5 : 0:65535 1:4294967295 1-2 2-1 1- -2 1,2 1,2,3 1,,2 ,1 1, 1:2,3 1/1 1/0xff 0x1/0x1 0xff/0x0f 1/0 5/x
10.0.0.1 10.0.0.0/8 10.0.0.1-10.0.0.9 10.0.0.9-10.0.0.1 10.0.0.1:80 10.0.0.1:80-90 10.1 10.0.0.1/255.0.255.0 10.0.0.256
2001:db8::1 2001:db8::/32 ::1-::2 [2001:db8::1]:80 ::ffff:1.2.3.4 :: 2001:db8::1/ffff::
1/second 5/min 10/hour 3/day 1/s 7/m 10000/sec 20000/sec 0/sec 10kb/s 1mb/s 512b/s 0.5 0.0 1.0 1.1 0.333 00:11:22:33:44:55
tcp udp icmp 6 all ssh http domain eth0 eth+ + a toolongadevicename src dst src,dst srcip srcip,dstport ORIGINAL REPLY
NEW NEW,ESTABLISHED new INVALID,SNAT SYN SYN,ACK ALL NONE any echo-request ping 8/0 3 0/255 emerg debug mangle
abc "two_words" |6162| |61|b 2030-01-01T00:00:00 10:00 23:59:59 24:00 Mon,Tue 1,31 32 root nobody`.split(/\s+/)

/** Words in what an option says of its values: `one of a, b, c`. */
function wordsOf(expects: string): string[] {
  return [...new Set(expects.match(/[A-Za-z][A-Za-z0-9+_-]*/g) ?? [])]
}

export function fileOf({ table, rule }: Case): string {
  return `*${table}\n:own - [0:0]\n${rule}\nCOMMIT\n`
}

/** Numbers from 0 up to but without n, the same ones for the same seed (mulberry32). */
export function chance(seed: number): (n: number) => number {
  let state = seed | 0
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}

export class Generator {
  readonly #family: Family
  readonly #random: (n: number) => number
  readonly #declarations: readonly AnyDeclaration[]
  /** Values that an option has been seen to take. */
  readonly #taken = new Map<Option<unknown>, readonly string[]>()

  constructor(declarations: readonly AnyDeclaration[], family: Family, seed: number) {
    this.#family = family
    this.#random = chance(seed)
    this.#declarations = declarations.filter((d) => (d.families ?? [4, 6]).includes(family))
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#random(of.length)]
  }

  #often(of: number): boolean {
    return this.#random(of) > 0
  }

  next(): Case {
    const declaration = this.#one(this.#declarations)
    const table = this.#one(declaration.tables ?? TABLE_NAMES)
    const chain = this.#one([
      ...(declaration.hooks?.filter((h) => BUILTIN_CHAINS[table].includes(h)) ?? BUILTIN_CHAINS[table]),
      'own',
    ])
    const words = [`-A ${chain}`]
    const protocol = this.#protocol(declaration)
    if (protocol !== '') words.push(`-p ${protocol}`)
    // A second match, so that options meet the names of others.
    const other = this.#often(4) ? undefined : this.#one(this.#declarations.filter((d) => d.kind === 'match'))
    if (other !== undefined && other !== declaration) words.push(this.#use(other))
    words.push(this.#use(declaration))
    return { family: this.#family, table, rule: words.filter((word) => word !== '').join(' ') }
  }

  #protocol({ protocols }: AnyDeclaration): string {
    if (protocols !== undefined && this.#often(8)) return protocolName(this.#one(protocols))
    return this.#often(2) ? '' : this.#one(['tcp', 'udp', 'sctp', 'icmp', 'ipv6-icmp', 'dccp', 'udplite', '47'])
  }

  #use(declaration: AnyDeclaration): string {
    const { kind, name, options, exclusive = [], anyOf } = declaration
    const names = Object.keys(options)
    const given = new Set<string>()
    // Now and then without what is needed, and with what cannot stand together.
    for (const key of names) if (options[key].traits.isRequired && this.#often(12)) given.add(key)
    if (anyOf !== undefined && this.#often(12)) given.add(this.#one(anyOf))
    for (let i = this.#random(4); i > 0 && names.length > 0; i--) {
      const key = this.#one(names)
      const clash = exclusive.some((group) => group.includes(key) && group.some((each) => given.has(each)))
      if (!clash || !this.#often(12)) given.add(key)
    }
    const words = [...given].map((key) => {
      const { kind: value, traits } = options[key] as Option<unknown>
      const not = traits.negated ? !this.#often(3) : !this.#often(25)
      const written = traits.aliases.length > 0 && !this.#often(5) ? this.#one(traits.aliases) : key
      const values = value.words === 0 ? '' : ` ${this.#value(options[key] as Option<unknown>)}`
      return `${not ? '! ' : ''}--${written}${values}`
    })
    return [kind === 'match' ? `-m ${name}` : `-j ${name}`, ...words].join(' ')
  }

  /** Mostly what is taken, now and then what is not. */
  #value(option: Option<unknown>): string {
    const { kind } = option
    let taken = this.#taken.get(option)
    if (taken === undefined) {
      const context = { family: this.#family, protocol: { value: 6, not: false } }
      const reads = (text: string) => !(kind.parse([text], context) instanceof Problem)
      taken = kind.words === 1 ? [...wordsOf(kind.expects), ...ODD].filter(reads) : []
      this.#taken.set(option, taken)
    }
    const words = Array.from({ length: kind.words }, () =>
      taken.length > 0 && this.#often(5) ? this.#one(taken) : this.#one([...wordsOf(kind.expects), ...ODD]),
    )
    return words.join(' ')
  }
}
