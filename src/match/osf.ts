// Match osf (xt_osf): the operating system that sent a SYN, by the look of it. As in Linux while no fingerprints are loaded nothing is known,
// and what is not known matches neither a name nor its negation; with --log it is told of.

import { defineMatch } from '../rule/define.ts'
import { text, u8, word } from '../rule/option.ts'
import { PROTO_TCP } from '../wire/ipv4.ts'

const NAME_MAX = 31

/** Saved as it stands; in quotes only where it could not be read again. */
const cut = text({ max: NAME_MAX, cut: true }).kind
const genre = word<string>(
  cut.expects,
  (given, context) => cut.parse([given], context),
  (name) => (/^[^\s"'\\]+$/.test(name) ? name : cut.format(name)),
)

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
  looks: 'packet',
  match: () => () => 0,
})
