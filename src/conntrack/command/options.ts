// The options of conntrack 1.4.7: by letter and by long name, which of them take an argument, and which command takes which.

import * as ip from '../../wire/ipv4.ts'

export type CommandLetter = 'L' | 'G' | 'D' | 'I' | 'A' | 'U' | 'E' | 'F' | 'C' | 'S' | 'R' | 'h' | 'V'

export interface OptionShape {
  /** By this it is called in messages (`--src`), and kept. */
  readonly name: string
  readonly argument: 'none' | 'required' | 'optional'
}

const COMMANDS: Readonly<Record<string, CommandLetter>> = {
  dump: 'L',
  get: 'G',
  delete: 'D',
  create: 'I',
  add: 'A',
  update: 'U',
  event: 'E',
  flush: 'F',
  count: 'C',
  counter: 'C',
  stats: 'S',
  'load-file': 'R',
  help: 'h',
  version: 'V',
}

export const COMMAND_NAMES: Readonly<Partial<Record<CommandLetter, string>>> = { U: 'update', A: 'add', S: 'stats' }

/** In the order in which they are checked. */
export const CHECKED = [
  ...['src', 'dst', 'reply-src', 'reply-dst', 'protonum', 'timeout', 'status', 'zero', 'event-mask'],
  ...['tuple-src', 'tuple-dst', 'mask-src', 'mask-dst', 'nat-range', 'mark', 'id', 'family', 'src-nat', 'dst-nat'],
  ...['output', 'secmark', 'buffer-size', 'any-nat', 'zone', 'label', 'label-add', 'label-del'],
  ...['orig-zone', 'reply-zone'],
] as const

export type OptionName = (typeof CHECKED)[number] | 'deprecated'

const LETTERS: Readonly<Record<string, OptionName>> = {
  s: 'src',
  d: 'dst',
  r: 'reply-src',
  q: 'reply-dst',
  p: 'protonum',
  t: 'timeout',
  u: 'status',
  z: 'zero',
  e: 'event-mask',
  m: 'mark',
  i: 'id',
  f: 'family',
  n: 'src-nat',
  g: 'dst-nat',
  o: 'output',
  c: 'secmark',
  b: 'buffer-size',
  j: 'any-nat',
  w: 'zone',
  l: 'label',
  a: 'deprecated',
}

const ALIASES: Readonly<Record<string, OptionName>> = { 'orig-src': 'src', 'orig-dst': 'dst', proto: 'protonum' }

const shape = (name: string): OptionShape => ({
  name,
  argument:
    name === 'zero' ? 'none' : ['src-nat', 'dst-nat', 'any-nat', 'label-del'].includes(name) ? 'optional' : 'required',
})

const LONG = new Map<string, OptionShape | CommandLetter>([
  ...Object.entries(COMMANDS),
  ...CHECKED.map((name): [string, OptionShape] => [name, shape(name)]),
  ...Object.entries(ALIASES).map(([alias, name]): [string, OptionShape] => [alias, shape(name)]),
])

/** An option or a command by its letter; undefined where there is none. */
export function byLetter(letter: string): OptionShape | CommandLetter | undefined {
  if ('LGDIAUEFCSRhV'.includes(letter)) return letter as CommandLetter
  const name = LETTERS[letter]
  return name === undefined ? undefined : shape(name)
}

/** The same by a long name or its beginning, as getopt_long does it. */
export function byName(name: string, protocol: number | undefined): OptionShape | CommandLetter | undefined {
  const known = new Map([...LONG, ...protocolOptions(protocol)])
  const exact = known.get(name)
  if (exact !== undefined) return exact
  const found = [...known].filter(([full]) => full.startsWith(name)).map(([, what]) => what)
  const same = found.every((what) => identity(what) === identity(found[0]))
  return found.length > 0 && same ? found[0] : undefined
}

const identity = (what: OptionShape | CommandLetter) => (typeof what === 'string' ? what : `--${what.name}`)

// ── options of protocols ──────────────────────────────────────────────────────────────────────────────────────────────

const required = (name: string): OptionShape => ({ name, argument: 'required' })
const PORTS: readonly [string, OptionShape][] = [
  ['orig-port-src', required('sport')],
  ['sport', required('sport')],
  ['orig-port-dst', required('dport')],
  ['dport', required('dport')],
  ['reply-port-src', required('reply-port-src')],
  ['reply-port-dst', required('reply-port-dst')],
  ...['mask-port-src', 'mask-port-dst', 'tuple-port-src', 'tuple-port-dst'].map((name): [string, OptionShape] => [
    name,
    required(name),
  ]),
]
const own = (...names: string[]): [string, OptionShape][] => names.map((name) => [name, required(name)])

const PROTOCOL_OPTIONS: Readonly<Record<number, readonly [string, OptionShape][] | undefined>> = {
  [ip.PROTO_TCP]: [...PORTS, ...own('state')],
  [ip.PROTO_UDP]: PORTS,
  [ip.PROTO_UDPLITE]: PORTS,
  [ip.PROTO_SCTP]: [...PORTS, ...own('state', 'orig-vtag', 'reply-vtag')],
  [ip.PROTO_DCCP]: [...PORTS, ...own('state', 'role')],
  [ip.PROTO_ICMP]: own('icmp-type', 'icmp-code', 'icmp-id'),
  58: own('icmpv6-type', 'icmpv6-code', 'icmpv6-id'),
  [ip.PROTO_GRE]: [
    ['orig-key-src', required('srckey')],
    ['srckey', required('srckey')],
    ['orig-key-dst', required('dstkey')],
    ['dstkey', required('dstkey')],
    ...own('reply-key-src', 'reply-key-dst'),
  ],
}

export function protocolOptions(protocol: number | undefined): readonly [string, OptionShape][] {
  return protocol === undefined ? [] : (PROTOCOL_OPTIONS[protocol] ?? [])
}

// ── which command takes what ──────────────────────────────────────────────────────────────────────────────────────────

const TUPLES = ['src', 'dst', 'reply-src', 'reply-dst', 'protonum'] as const
const MASKS = ['mask-src', 'mask-dst'] as const
const NAT = ['src-nat', 'dst-nat'] as const
const ZONES = ['zone', 'orig-zone', 'reply-zone'] as const
const CREATE: readonly OptionName[] = [...TUPLES, ...NAT, ...ZONES, 'timeout', 'status', 'mark', 'label-add']

const ALLOWED: Readonly<Record<string, readonly OptionName[]>> = {
  L: [
    ...TUPLES,
    ...MASKS,
    ...NAT,
    ...ZONES,
    'zero',
    'mark',
    'family',
    'output',
    'secmark',
    'any-nat',
    'label',
    'status',
  ],
  G: [...TUPLES, 'id', 'output'],
  D: [...TUPLES, ...MASKS, ...NAT, ...ZONES, 'timeout', 'status', 'mark', 'family', 'id', 'output', 'label'],
  I: CREATE,
  A: CREATE,
  U: [
    ...TUPLES,
    ...MASKS,
    ...NAT,
    ...['timeout', 'status', 'mark', 'family', 'id', 'output', 'label', 'label-add', 'label-del'],
  ] as OptionName[],
  E: [
    ...TUPLES,
    ...MASKS,
    ...NAT,
    ...ZONES,
    ...['mark', 'family', 'any-nat', 'output', 'secmark', 'event-mask', 'buffer-size', 'label'],
  ] as OptionName[],
  F: ['family'],
  'L expect': ['family', 'output'],
  'G expect': ['src', 'dst', 'protonum', 'family'],
  'D expect': ['src', 'dst', 'protonum', 'family'],
  'E expect': ['output'],
}

const REQUIRED: Readonly<Record<string, readonly OptionName[]>> = {
  G: ['protonum'],
  I: ['protonum', 'timeout'],
  A: ['protonum', 'timeout'],
  'G expect': ['src', 'dst', 'protonum'],
  'D expect': ['src', 'dst', 'protonum'],
  'I expect': ['src', 'dst', 'protonum', 'timeout', 'tuple-src', 'tuple-dst', 'mask-src', 'mask-dst'],
}

/** What is wrong about the options that were given with a command; undefined for nothing. */
export function optionFault(command: string, given: ReadonlySet<string>): string | undefined {
  const allowed = ALLOWED[command] ?? []
  const needed = REQUIRED[command] ?? []
  for (const name of CHECKED) {
    if (!given.has(name) && needed.includes(name)) return `You need to supply the \`--${name}' option for this command`
    if (given.has(name) && !allowed.includes(name) && !needed.includes(name))
      return `Illegal option \`--${name}' with this command`
  }
  return undefined
}

/** What expectations' commands need of a protocol's options; they take no others. */
const EXPECT_PORTS: Readonly<Record<string, readonly string[]>> = {
  G: ['sport', 'dport', 'reply-port-src', 'reply-port-dst'],
  D: ['sport', 'dport', 'reply-port-src', 'reply-port-dst'],
  I: ['sport', 'dport', 'mask-port-src', 'mask-port-dst', 'tuple-port-src', 'tuple-port-dst'],
}
const PORTS_CHECKED = ['sport', 'dport', 'reply-port-src', 'reply-port-dst', 'mask-port-src', 'mask-port-dst', 'state']

/** The same for a protocol's own options of a command about expectations. */
export function expectProtocolFault(
  command: CommandLetter,
  protocol: number,
  given: ReadonlySet<string>,
): string | undefined {
  const known = protocolOptions(protocol)
  if (!known.some(([name]) => name === 'sport')) return undefined
  const needed = EXPECT_PORTS[command] ?? []
  for (const name of [...PORTS_CHECKED, 'tuple-port-src', 'tuple-port-dst']) {
    if (needed.includes(name) && !given.has(name)) return `You need to supply the \`--${name}' option for this command`
    if (given.has(name) && !needed.includes(name)) return `Illegal option \`--${name}' with this command`
  }
  return undefined
}

/** The same for the protocol's own options. @param given without those that were not */
export function protocolFault(
  command: CommandLetter,
  protocol: number,
  given: ReadonlySet<string>,
): string | undefined {
  const creates = command === 'I' || command === 'A'
  const both = (a: string, b: string) =>
    given.has(a) && given.has(b) ? undefined : `you have to specify \`--${a}' and \`--${b}'`
  const need = (name: string) =>
    given.has(name) ? undefined : `You need to supply the \`--${name}' option for this command`
  const known = protocolOptions(protocol)
  if (creates || command === 'G') {
    const reply = given.has('reply-port-src') && given.has('reply-port-dst')
    const ports = known.some(([name]) => name === 'sport') && !reply ? both('sport', 'dport') : undefined
    const keys = protocol === ip.PROTO_GRE ? both('srckey', 'dstkey') : undefined
    const fault = ports ?? keys
    if (fault !== undefined) return fault
  }
  if (creates) {
    const names =
      protocol === ip.PROTO_TCP
        ? ['state']
        : protocol === ip.PROTO_SCTP
          ? ['state', 'orig-vtag', 'reply-vtag']
          : protocol === ip.PROTO_ICMP
            ? ['icmp-type', 'icmp-code']
            : protocol === 58
              ? ['icmpv6-type', 'icmpv6-code']
              : []
    for (const name of names) {
      const fault = need(name)
      if (fault !== undefined) return fault
    }
  }
  for (const [, { name }] of known)
    if (given.has(name) && !allowedOfProtocol(command, name)) return `Illegal option \`--${name}' with this command`
  return undefined
}

function allowedOfProtocol(command: CommandLetter, name: string): boolean {
  if (name.startsWith('mask-') || name.startsWith('tuple-')) return false
  if (name.endsWith('-vtag') || name === 'role') return command === 'I' || command === 'A' || command === 'U'
  return command !== 'G' || name !== 'state'
}
