// Match policy (xt_policy): the IPsec policy that a packet came or goes by. There is no IPsec here, and a packet without a policy
// matches `--pol none` alone.

import { defineMatch } from '../rule/define.ts'
import { hostMask } from '../rule/kinds.ts'
import { protocolNumber } from '../rule/names.ts'
import { parseNumber } from '../rule/number.ts'
import { flag, notEnforced, oneOf, u32, unexpected, word } from '../rule/option.ts'

const PROTOCOLS: Readonly<Record<number, string>> = { 50: 'esp', 51: 'ah', 108: 'ipcomp' }
const EXPECTS = 'ah, esp or ipcomp'
const ELEMENT = ['reqid', 'spi', 'proto', 'mode', 'tunnel-dst', 'tunnel-src'] as const

const protocol = word<number>(
  EXPECTS,
  (text) => {
    const number = parseNumber(text, 255) ?? protocolNumber(text)
    return number !== undefined && number in PROTOCOLS ? number : unexpected(text, EXPECTS)
  },
  (value) => PROTOCOLS[value],
)

export const policy = defineMatch({
  name: 'policy',
  summary: 'the IPsec policy that the packet is under; here there is none',
  options: {
    dir: oneOf(['in', 'out']).required().help('the policy by which it came, or by which it goes'),
    pol: oneOf(['none', 'ipsec']).default('ipsec', true).help('there is none, or there is one'),
    strict: flag().help('the policy as a whole, not one element of it'),
    reqid: u32().negatable().help("the element's request"),
    spi: u32({ base: 16 }).negatable().help("the association's index"),
    proto: protocol.negatable().help('the protocol of the transformation'),
    mode: oneOf(['transport', 'tunnel']).negatable().help('the mode'),
    'tunnel-dst': hostMask().negatable().help('where the tunnel ends'),
    'tunnel-src': hostMask().negatable().help('where the tunnel begins'),
    next: notEnforced(0, 'there is no policy that could have a second element'),
  },
  hooksFor: ({ dir }) => (dir === 'in' ? ['PREROUTING', 'INPUT', 'FORWARD'] : ['FORWARD', 'OUTPUT', 'POSTROUTING']),
  normalize: (o) => (o.pol === 'none' ? { dir: o.dir, pol: o.pol, strict: o.strict } : o),
  check: (o) => {
    if (o.pol === 'none') return o.strict ? '--strict cannot stand with --pol none' : undefined
    if (o.strict && ELEMENT.every((name) => o[name] === undefined))
      return `--strict needs one of ${ELEMENT.map((name) => `--${name}`).join(', ')}`
    const tunnel = o['tunnel-src'] !== undefined || o['tunnel-dst'] !== undefined
    const mode = o.mode?.not ? (o.mode.value === 'tunnel' ? 'transport' : 'tunnel') : o.mode?.value
    return tunnel && mode !== 'tunnel' ? '--tunnel-src and --tunnel-dst need --mode tunnel' : undefined
  },
  looks: 'packet',
  match: ({ pol }) => {
    const said = pol === 'none' ? 1 : 0
    return () => said
  },
})
