// Target HMARK (xt_HMARK): the packet's mark becomes a hash of its addresses, ports and protocol, the same for both directions, so
// that flows spread evenly over routes or queues. The hash is Linux's, so that a flow gets the mark here that it gets there. An ICMP
// error is marked as the packet that it quotes; a fragment by its addresses alone.

import { scale } from '../nat/hash.ts'
import { NO_FLOW } from '../packet/packet.ts'
import { maskLength, maskWords, parseMask } from '../rule/address.ts'
import { CONTINUE, defineTarget } from '../rule/define.ts'
import type { Family } from '../rule/model.ts'
import { parseNumber } from '../rule/number.ts'
import { u32, unexpected, word } from '../rule/option.ts'
import { MarkHash } from './hmark-hash.ts'

/** A number that is saved in hexadecimal with so many digits. */
function padded(max: number, digits: number) {
  const expects = `a number from 0 to ${max}`
  return word<number>(
    expects,
    (text) => parseNumber(text, max) ?? unexpected(text, expects),
    (value) => `0x${value.toString(16).padStart(digits, '0')}`,
  )
}

const u16 = padded(0xffff, 4)
const word32 = padded(0xffffffff, 8)

const prefix = word<number>(
  "a prefix length of the rule's family, or a mask without holes",
  (text, { family }) => {
    const mask = parseMask(text, family)
    return (mask && maskLength(mask)) ?? unexpected(text, `a length from 0 to ${family === 4 ? 32 : 128}, or a mask`)
  },
  String,
)

/** Parts of the tuple in the order in which a beginning of their names is taken for them. */
const PARTS = ['src', 'dst', 'sport', 'dport', 'spi', 'proto', 'ct'] as const
type Part = (typeof PARTS)[number]
const EXPECTS_PARTS = `one or more of ${PARTS.join(',')}, joined by commas`

/** What is saved as it stands: the other parts are saved as masks. */
interface Tuple {
  readonly parts: ReadonlySet<Part>
  /** A mask of a part that the tuple names already stood beside it. */
  readonly twice?: Part
}

const tuple = word<Tuple>(
  EXPECTS_PARTS,
  (text) => {
    const parts = new Set<Part>()
    for (const name of text.split(',')) {
      const part = PARTS.find((one) => name !== '' && one.startsWith(name.toLowerCase()))
      if (part === undefined) return unexpected(name === '' ? text : name, EXPECTS_PARTS)
      parts.add(part)
    }
    return { parts }
  },
  () => 'ct',
)

/** The option that a part of the tuple stands for, and what it is then. */
const MASKS = {
  src: ['hmark-src-prefix', 0],
  dst: ['hmark-dst-prefix', 0],
  sport: ['hmark-sport-mask', 0xffff],
  dport: ['hmark-dport-mask', 0xffff],
  spi: ['hmark-spi-mask', 0xffffffff],
  proto: ['hmark-proto-mask', 0xffff],
} as const

function hmark(family: Family) {
  const whole = family === 4 ? 32 : 128
  return defineTarget({
    name: 'HMARK',
    summary: "sets the packet's mark to a hash of its addresses and ports",
    families: [family],
    terminal: false,
    options: {
      'hmark-src-prefix': prefix.help('bits of the source address that count'),
      'hmark-dst-prefix': prefix.help('bits of the destination address that count'),
      'hmark-sport-mask': u16.help('bits of the source port that count'),
      'hmark-dport-mask': u16.help('bits of the destination port that count'),
      'hmark-spi-mask': word32.help('bits of the security parameter index that count'),
      'hmark-sport': u16.help('bits that are set in the source port'),
      'hmark-dport': u16.help('bits that are set in the destination port'),
      'hmark-spi': word32.help('bits that are set in the security parameter index'),
      'hmark-proto-mask': padded(0xffff, 2).help('bits of the protocol that count'),
      'hmark-rnd': word32.required().help("the hash's seed"),
      'hmark-mod': u32({ min: 1 }).required().help('how many marks there are'),
      'hmark-offset': u32().help('the first of them'),
      'hmark-tuple': tuple.help("these parts, whole; ct: of the flow's first packet"),
    },
    anyOf: [
      'hmark-src-prefix',
      'hmark-dst-prefix',
      'hmark-sport-mask',
      'hmark-dport-mask',
      'hmark-spi-mask',
      'hmark-sport',
      'hmark-dport',
      'hmark-spi',
      'hmark-proto-mask',
      'hmark-tuple',
    ],
    normalize: (o) => {
      const given = o['hmark-tuple']
      if (given === undefined) return o
      const masks: Record<string, number> = {}
      let twice: Part | undefined
      for (const part of given.parts) {
        if (part === 'ct') continue
        const [name, all] = MASKS[part]
        if (o[name] !== undefined) twice = part
        masks[name] = all || whole
      }
      const kept = given.parts.has('ct') || twice !== undefined
      return { ...o, ...masks, 'hmark-tuple': kept ? { parts: given.parts, twice } : undefined }
    },
    check: (o) => {
      const twice = o['hmark-tuple']?.twice
      if (twice !== undefined && twice !== 'ct')
        return `--hmark-tuple ${twice} and --${MASKS[twice][0]} say the same twice`
      const spi = o['hmark-spi'] ?? o['hmark-spi-mask']
      const ports = o['hmark-sport'] ?? o['hmark-dport'] ?? o['hmark-sport-mask'] ?? o['hmark-dport-mask']
      return spi !== undefined && ports !== undefined
        ? 'a packet has ports or a security parameter index: expected one of them'
        : undefined
    },
    list: (o) => {
      const offset = o['hmark-offset']
      const words = [`HMARK mod ${o['hmark-mod']}${offset === undefined ? '' : ` + 0x${offset.toString(16)}`}`]
      if (o['hmark-tuple'] !== undefined) words.push('ct,')
      for (const [name, value] of Object.entries(o)) {
        const shown = name.slice('hmark-'.length)
        if (name === 'hmark-mod' || name === 'hmark-offset' || name === 'hmark-tuple') continue
        if (name.endsWith('-prefix')) words.push(`${shown} ${value === 128 ? '' : value}`)
        else words.push(`${shown} 0x${(value as number).toString(16)}`)
      }
      return `${words.join(' ')} `
    },
    target: (o, { conntrack: { flows } }) => {
      const hash = new MarkHash(flows, {
        source: maskWords(o['hmark-src-prefix'] ?? 0, family),
        destination: maskWords(o['hmark-dst-prefix'] ?? 0, family),
        portMask: o['hmark-spi-mask'] ?? pair(o['hmark-sport-mask'], o['hmark-dport-mask']),
        portSet: o['hmark-spi'] ?? pair(o['hmark-sport'], o['hmark-dport']),
        protocol: o['hmark-proto-mask'] ?? 0,
        seed: o['hmark-rnd'],
      })
      const size = o['hmark-mod']
      const first = o['hmark-offset'] ?? 0
      const ofFlow = o['hmark-tuple'] !== undefined
      return (p) => {
        if (ofFlow && p.ct === NO_FLOW) return CONTINUE
        const value = ofFlow ? hash.ofFlow(p.ct) : hash.ofPacket(p)
        p.mark = (scale(value, size) + first) | 0
        return CONTINUE
      }
    },
  })
}

export const hmark4 = hmark(4)
export const hmark6 = hmark(6)

function pair(source = 0, destination = 0): number {
  return (source << 16) | destination
}
