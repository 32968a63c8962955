// The set types that there are: what their members are made of, what they are created with, and in which order that is
// printed. Everything else that differs between types of one structure follows from the parts.

export type Part = 'ip' | 'net' | 'port' | 'iface' | 'mac' | 'mark'

export type CreateOption =
  | 'family'
  | 'markmask'
  | 'hashsize'
  | 'maxelem'
  | 'netmask'
  | 'bitmask'
  | 'range'
  | 'size'
  | 'timeout'
  | 'counters'
  | 'comment'
  | 'forceadd'
  | 'skbinfo'
  | 'bucketsize'
  | 'initval'

export interface SetType {
  readonly name: string
  /** Names of ipset's first years. */
  readonly aliases: readonly string[]
  /** The newest revision that ipset 7.17 and today's kernels know. */
  readonly revision: number
  readonly structure: 'hash' | 'bitmap' | 'list'
  /** What a member is made of; each is one src or dst of a rule. Of list:set none, and yet a rule gives one. */
  readonly parts: readonly Part[]
  /** both: IPv4 or IPv6 by option; inet: IPv4; neutral: no addresses. */
  readonly family: 'both' | 'inet' | 'neutral'
  /** In the order in which they are printed. */
  readonly create: readonly CreateOption[]
}

const HASH = ['hashsize', 'maxelem'] as const
const EXTENSIONS = ['timeout', 'counters', 'comment', 'forceadd', 'skbinfo'] as const
const TUNING = ['bucketsize', 'initval'] as const
const PLAIN: readonly CreateOption[] = ['family', ...HASH, ...EXTENSIONS, ...TUNING]
const BITMAP = ['timeout', 'counters', 'comment', 'skbinfo'] as const

function hash(
  parts: readonly Part[],
  revision: number,
  aliases: readonly string[] = [],
  create: readonly CreateOption[] = PLAIN,
): SetType {
  const family = create.includes('family') ? 'both' : 'neutral'
  return { name: `hash:${parts.join(',')}`, aliases, revision, structure: 'hash', parts, family, create }
}

export const SET_TYPES: readonly SetType[] = [
  hash(
    ['ip'],
    6,
    ['iphash', 'iptree', 'iptreemap'],
    ['family', ...HASH, 'netmask', 'bitmask', ...EXTENSIONS, ...TUNING],
  ),
  hash(['net'], 7, ['nethash']),
  hash(['ip', 'port'], 7, ['ipporthash'], [...PLAIN, 'netmask', 'bitmask']),
  hash(['ip', 'port', 'ip'], 6, ['ipportiphash']),
  hash(['ip', 'port', 'net'], 8, ['ipportnethash']),
  hash(['net', 'port'], 8, ['netporthash']),
  hash(['net', 'net'], 4, ['netnethash'], [...PLAIN, 'bitmask', 'netmask']),
  hash(['net', 'port', 'net'], 3, ['netportnethash']),
  hash(['net', 'iface'], 8, ['netifacehash']),
  hash(['ip', 'mark'], 3, ['ipmarkhash'], ['family', 'markmask', ...HASH, ...EXTENSIONS, ...TUNING]),
  hash(['ip', 'mac'], 1),
  hash(['mac'], 1, ['machash'], [...HASH, ...EXTENSIONS, ...TUNING]),
  {
    name: 'bitmap:ip',
    aliases: ['ipmap'],
    revision: 3,
    structure: 'bitmap',
    parts: ['ip'],
    family: 'inet',
    create: ['range', 'netmask', ...BITMAP],
  },
  {
    name: 'bitmap:ip,mac',
    aliases: ['macipmap'],
    revision: 3,
    structure: 'bitmap',
    parts: ['ip', 'mac'],
    family: 'inet',
    create: ['range', ...BITMAP],
  },
  {
    name: 'bitmap:port',
    aliases: ['portmap'],
    revision: 3,
    structure: 'bitmap',
    parts: ['port'],
    family: 'neutral',
    create: ['range', ...BITMAP],
  },
  {
    name: 'list:set',
    aliases: ['setlist'],
    revision: 3,
    structure: 'list',
    parts: [],
    family: 'neutral',
    create: ['size', ...BITMAP],
  },
]

export function setType(name: string): SetType | undefined {
  return SET_TYPES.find((type) => type.name === name || type.aliases.includes(name))
}

/** How many src or dst a rule must give at least. */
export function dimension(type: SetType): number {
  return Math.max(1, type.parts.length)
}

export function hasNets(type: SetType): boolean {
  return type.parts.includes('net')
}

/** Sets whose features and family are the same can be swapped, of whichever type they are. */
export function features(type: SetType): string {
  const seen: string[] = []
  for (const part of type.parts) {
    const kind = part === 'net' ? 'ip' : part
    seen.push(seen.includes(kind) ? `${kind}2` : kind)
  }
  if (hasNets(type)) seen.push('nomatch')
  return type.structure === 'list' ? 'name' : seen.join(' ')
}
