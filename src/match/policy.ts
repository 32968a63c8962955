// Match policy (xt_policy): the IPsec policy that a packet came or goes by. There is no IPsec here, and a packet without a policy
// matches `--pol none` alone.

import { defineMatch, type ValuesOf } from '../rule/define.ts'
import { hostMask } from '../rule/kinds.ts'
import { exactProtocolNumber } from '../rule/names.ts'
import { parseNumber } from '../rule/number.ts'
import { flag, type Option, oneOf, renewing, u32, unexpected, word } from '../rule/option.ts'

const PROTOCOLS: Readonly<Record<number, string>> = { 50: 'esp', 51: 'ah', 108: 'ipcomp' }
const EXPECTS = 'ah, esp or ipcomp'
const ELEMENTS_MAX = 4

const protocol = word<number>(
  EXPECTS,
  (text) => {
    const number = parseNumber(text, 255) ?? exactProtocolNumber(text)
    return number !== undefined && number in PROTOCOLS ? number : unexpected(text, EXPECTS)
  },
  (value) => PROTOCOLS[value],
)

/** What can be said of one transformation. */
const element = {
  reqid: u32().negatable().help("the element's request"),
  spi: u32({ base: 16 }).negatable().help("the association's index"),
  proto: protocol.negatable().help('the protocol of the transformation'),
  mode: oneOf(['transport', 'tunnel']).negatable().help('the mode'),
  'tunnel-dst': hostMask().negatable().help('where the tunnel ends'),
  'tunnel-src': hostMask().negatable().help('where the tunnel begins'),
}
const NAMES = Object.keys(element) as (keyof typeof element)[]

type Element = ValuesOf<typeof element>

const options = {
  dir: oneOf(['in', 'out']).required().help('the policy by which it came, or by which it goes'),
  pol: oneOf(['none', 'ipsec']).default('ipsec', true).help('there is none, or there is one'),
  strict: flag().help('the policy as a whole, not one element of it'),
  ...element,
  next: renewing(NAMES).help('what stands behind it is said of the next element'),
}

type Values = ValuesOf<typeof options>

const elementsOf = (o: Values): readonly Element[] => [...((o.next ?? []) as readonly Element[]), o]

export const policy = defineMatch({
  name: 'policy',
  summary: 'the IPsec policy that the packet is under; here there is none',
  options,
  hooksFor: ({ dir }) => (dir === 'in' ? ['PREROUTING', 'INPUT', 'FORWARD'] : ['FORWARD', 'OUTPUT', 'POSTROUTING']),
  normalize: (o) => (o.pol === 'none' ? { dir: o.dir, pol: o.pol, strict: o.strict, next: o.next } : o),
  check: (o) => {
    if (o.pol === 'none') return o.strict || o.next ? '--strict and --next cannot stand with --pol none' : undefined
    if (o.next !== undefined && !o.strict) return '--next needs --strict'
    const elements = elementsOf(o)
    if (elements.length > ELEMENTS_MAX) return `there are ${elements.length} elements: expected at most ${ELEMENTS_MAX}`
    return o.strict && elements.some((one) => NAMES.every((name) => one[name] === undefined))
      ? `--strict needs one of ${NAMES.map((name) => `--${name}`).join(', ')} for each element`
      : elements.map(wrongTunnel).find((wrong) => wrong !== undefined)
  },
  saved: (o) => {
    const said = elementsOf(o).map((one) => wordsOf(one, ' --', formatOf).join(''))
    return ` --dir ${o.dir} --pol ${o.pol}${o.strict ? ' --strict' : ''}${said.join(' --next')}`
  },
  list: (o, numeric) => {
    const elements = elementsOf(o)
    const said = elements.map((one, i) => {
      const words = wordsOf(one, ' ', (name, value) =>
        numeric && name === 'proto' ? String(value) : formatOf(name, value),
      )
      return `${elements.length > 1 ? ` [${i}]` : ''}${words.join('')}`
    })
    return `policy match dir ${o.dir} pol ${o.pol}${o.strict ? ' strict' : ''}${said.join('')}`
  },
  looks: 'packet',
  match: ({ pol }) => {
    const said = pol === 'none' ? 1 : 0
    return () => said
  },
})

function wrongTunnel(o: Element): string | undefined {
  const tunnel = o['tunnel-src'] !== undefined || o['tunnel-dst'] !== undefined
  const mode = o.mode?.not ? (o.mode.value === 'tunnel' ? 'transport' : 'tunnel') : o.mode?.value
  return tunnel && mode !== 'tunnel' ? '--tunnel-src and --tunnel-dst need --mode tunnel' : undefined
}

const formatOf = (name: keyof Element, value: unknown) => (element[name] as Option<unknown>).kind.format(value)

function wordsOf(o: Element, before: string, format: (name: keyof Element, value: unknown) => string): string[] {
  return NAMES.flatMap((name) => {
    const given = o[name]
    return given === undefined ? [] : [`${given.not ? ' !' : ''}${before}${name} ${format(name, given.value)}`]
  })
}
