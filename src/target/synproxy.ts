// Target SYNPROXY (xt_SYNPROXY): the router answers TCP's SYNs in the server's place and opens a connection to the server only for
// clients that come back. It belongs on SYNs that are not tracked (raw: CT --notrack) and on ACKs that are INVALID
// (net.netfilter.nf_conntrack_tcp_loose 0); what it does with them is in local/synproxy.ts. Other segments go on.

import { ACCEPT } from '../hook/hook.ts'
import { ECN, MSS, SACK_PERMITTED, TIMESTAMP, WINDOW_SCALE } from '../local/syn-options.ts'
import { SYNPROXY } from '../local/synproxy.ts'
import { CONTINUE, defineTarget } from '../rule/define.ts'
import { flag, u32, word } from '../rule/option.ts'
import { PROTO_TCP } from '../wire/ipv4.ts'

/** Of 32 bits that may be given those that the option has room for count. */
const wrapped = (bits: number) => {
  const { expects, parse, format } = u32().kind
  return word<number>(
    expects,
    (text, context) => {
      const value = parse([text], context)
      return typeof value === 'number' ? (value & bits) >>> 0 : value
    },
    format,
  )
}

export const synproxy = defineTarget({
  name: 'SYNPROXY',
  summary: 'answers SYNs in the place of a server, which sees only clients that come back',
  protocols: [PROTO_TCP],
  hooks: ['INPUT', 'FORWARD'],
  conntrack: true,
  terminal: false,
  options: {
    'sack-perm': flag().help('the server takes selective acknowledgements'),
    timestamp: flag().help('the server takes time stamps; without them no other option but the MSS is agreed on'),
    wscale: wrapped(0xff).help("the server's window scale"),
    mss: wrapped(0xffff).help("the server's maximum segment size"),
    ecn: flag().help('the server takes ECN'),
  },
  list: (o) => {
    const wscale = o.wscale !== undefined && `wscale ${o.wscale}`
    const mss = o.mss !== undefined && `mss ${o.mss}`
    const words = ['SYNPROXY', o['sack-perm'] && 'sack-perm', o.timestamp && 'timestamp', wscale, mss, o.ecn && 'ecn']
    return words.map((word) => (word ? `${word} ` : '')).join('')
  },
  target: (o, { local, local6, shared }, { family }) => {
    // For as long as a rule has it the proxy's step runs.
    const proxy = shared.of(SYNPROXY, String(family), () => (family === 4 ? local : local6).synproxy)
    proxy.use()
    const options =
      (o['sack-perm'] ? SACK_PERMITTED : 0) |
      (o.timestamp ? TIMESTAMP : 0) |
      (o.wscale === undefined ? 0 : WINDOW_SCALE) |
      (o.mss === undefined ? 0 : MSS) |
      (o.ecn ? ECN : 0)
    const rule = { options, mss: o.mss ?? 0, scale: o.wscale ?? 0 }
    return (p) => {
      const said = proxy.input(p, rule)
      return said === ACCEPT ? CONTINUE : said
    }
  },
})
