// Match osf (xt_osf): the operating system that sent a SYN, by the look of it. As in Linux while no fingerprints are loaded nothing is known,
// and what is not known matches neither a name nor its negation; with --log it is told of.

import { FORWARD } from '../hook/hook.ts'
import { defineMatch } from '../rule/define.ts'
import { logText } from '../rule/log-text.ts'
import { LOG_IP_OPTIONS, LOG_TCP_OPTIONS, LOG_TCP_SEQUENCE } from '../rule/log-text-transport.ts'
import { bareName, text, u8 } from '../rule/option.ts'
import { formatAddress } from '../wire/address.ts'
import { PROTO_TCP } from '../wire/ipv4.ts'
import * as tcp from '../wire/tcp.ts'

/** syslog's level of these lines. */
const NOTICE = 5

const NAME_MAX = 31

const cut = text({ max: NAME_MAX, cut: true }).kind
const genre = bareName(cut.expects, (given) => cut.parse([given], { family: 4 }))

export const osf = defineMatch({
  name: 'osf',
  summary: 'the operating system that sent a SYN; without fingerprints, which cannot be loaded here, none is known',
  families: [4],
  protocols: [PROTO_TCP],
  hooks: ['PREROUTING', 'INPUT', 'FORWARD'],
  options: {
    genre: genre.negatable().required().help('its name'),
    ttl: u8({ max: 2 }).help('how the TTL is compared: 0 as it is, 1 at most, 2 not at all'),
    log: u8({ max: 2 }).help('what is told of: 0 all, 1 the first that fits, 2 all that are known'),
  },
  list: ({ genre: { value, not } }) => `OS fingerprint match ${not ? '! ' : ''}${value}`,
  match: (o, env) => {
    if (o.log === undefined) return () => 0
    return (p) => {
      const { view, transport } = p
      if (transport === 0 || (view.getUint8(transport + tcp.FLAGS) & tcp.SYN) === 0) return 0
      const from = `${formatAddress(p.source)}:${p.sport}`
      // At every hook it has the devices that are known by then, as FORWARD's lines do.
      const line = logText(p, FORWARD, LOG_TCP_SEQUENCE | LOG_TCP_OPTIONS | LOG_IP_OPTIONS, env.links)
      env.log(NOTICE, `Remote OS is not known: ${from} -> ${formatAddress(p.destination)}:${p.dport}\n${line}`)
      return 0
    }
  },
})
