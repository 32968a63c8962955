// Match physdev (xt_physdev): the ports of a bridge that a packet crosses. There is no bridge here, and so, as in Linux, a packet
// that crosses none matches if all that is asked is negated.

import { defineMatch } from '../rule/define.ts'
import { interfaceName } from '../rule/kinds.ts'
import { apart } from '../rule/listing.ts'
import { flag } from '../rule/option.ts'

const port = interfaceName().negatable()
const is = flag().negatable()
const NAMES = ['physdev-is-in', 'physdev-in', 'physdev-is-out', 'physdev-out', 'physdev-is-bridged'] as const

export const physdev = defineMatch({
  name: 'physdev',
  summary: 'the ports of a bridge that a packet crosses; here it crosses none',
  options: {
    'physdev-is-in': is.help('it came in by a port'),
    'physdev-in': port.help('it came in by this port'),
    'physdev-is-out': is.help('it goes out by a port'),
    'physdev-out': port.help('it goes out by this port'),
    'physdev-is-bridged': is.help('it is bridged, not routed'),
  },
  anyOf: NAMES,
  hooksFor: (o) => {
    const out = o['physdev-out'] !== undefined || o['physdev-is-out'] !== undefined
    const bridged = o['physdev-is-bridged'] !== undefined && !o['physdev-is-bridged'].not
    return out && !bridged ? ['PREROUTING', 'INPUT', 'FORWARD', 'POSTROUTING'] : undefined
  },
  list: (o) => {
    const said = NAMES.filter((name) => o[name] !== undefined).map((name) => {
      const given = o[name]
      const { value } = given as { value: unknown }
      const text = value === true ? '' : ` ${port.kind.format(value as never)}`
      return `${apart(given)}--${name}${text}`
    })
    return ['PHYSDEV match', ...said].join(' ')
  },
  looks: 'packet',
  match: (o) => {
    const said = NAMES.every((name) => o[name] === undefined || o[name].not) ? 1 : 0
    return () => said
  },
})
