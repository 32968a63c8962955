// Match icmp (ip_tables' own): type, and code where it is given. A later fragment does not match; a header that is cut off is
// dropped at once. Type 255 stands for every type, whatever code stands behind it.

import { defineMatch, HOTDROP } from '../rule/define.ts'
import { parseNumber } from '../rule/number.ts'
import { Problem, shown, word } from '../rule/option.ts'
import { PROTO_ICMP } from '../wire/ipv4.ts'
import { fragmentOffset } from './port-match.ts'

interface IcmpType {
  readonly type: number
  /** -1 for every code. */
  readonly code: number
}

/** Names of types and of codes, as iptables lists them; `type` or `type/code`. */
const NAMES = `any:255 echo-reply:0 pong:0 destination-unreachable:3 network-unreachable:3/0 host-unreachable:3/1
protocol-unreachable:3/2 port-unreachable:3/3 fragmentation-needed:3/4 source-route-failed:3/5 network-unknown:3/6
host-unknown:3/7 network-prohibited:3/9 host-prohibited:3/10 TOS-network-unreachable:3/11 TOS-host-unreachable:3/12
communication-prohibited:3/13 host-precedence-violation:3/14 precedence-cutoff:3/15 source-quench:4 redirect:5
network-redirect:5/0 host-redirect:5/1 TOS-network-redirect:5/2 TOS-host-redirect:5/3 echo-request:8 ping:8
router-advertisement:9 router-solicitation:10 time-exceeded:11 ttl-exceeded:11 ttl-zero-during-transit:11/0
ttl-zero-during-reassembly:11/1 parameter-problem:12 ip-header-bad:12/0 required-option-missing:12/1
timestamp-request:13 timestamp-reply:14 address-mask-request:17 address-mask-reply:18`
  .split(/\s+/)
  .map((entry) => entry.split(':') as [string, string])

const EXPECTS = "a type's name, a number from 0 to 255, TYPE/CODE, or any"

const icmpType = word<IcmpType>(
  EXPECTS,
  (text) => {
    // A beginning will do, if it is the beginning of one name only, or is the whole of one.
    const wanted = text.toLowerCase()
    const fits = text === '' ? [] : NAMES.filter(([name]) => name.toLowerCase().startsWith(wanted))
    if (fits.length > 1)
      return new Problem(`${shown(text)} could be ${fits[0][0]} or ${fits[1][0]}: expected ${EXPECTS}`)
    const [type, code] = (fits[0]?.[1] ?? text).split('/', 2).map((part) => parseNumber(part, 255) ?? -1)
    const parts = (fits[0]?.[1] ?? text).split('/').length
    if (type === -1 || code === -1 || parts > 2)
      return new Problem(`${shown(text)} is not understood: expected ${EXPECTS}`)
    return type === 255 ? { type, code: -1 } : { type, code: code ?? -1 }
  },
  ({ type, code }) => (type === 255 ? 'any' : code < 0 ? String(type) : `${type}/${code}`),
)

export const icmp = defineMatch({
  name: 'icmp',
  summary: 'ICMP type and code',
  families: [4],
  protocols: [PROTO_ICMP],
  options: { 'icmp-type': icmpType.negatable().required().help('type, with or without code, by name or number') },
  list: ({ 'icmp-type': { value, not } }, numeric) => {
    const { type, code } = value
    const written = code < 0 ? String(type) : `${type}/${code}`
    const name = numeric ? undefined : NAMES.find(([, means]) => means === written)?.[0]
    if (name !== undefined) return `icmp ${not ? '!' : ''}${name}`
    return `icmp${not ? ' !' : ''}type ${type}${code < 0 ? '' : ` code ${code}`}`
  },
  match: ({ 'icmp-type': { value, not } }) => {
    const { type, code } = value
    const hit = not ? 0 : 1
    return (p) => {
      if (fragmentOffset(p) !== 0) return 0
      if (p.transport === 0) return HOTDROP
      const fits = type === 255 || (p.dport >>> 8 === type && (code < 0 || (p.dport & 0xff) === code))
      return fits ? hit : 1 - hit
    }
  },
})
