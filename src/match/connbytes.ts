// Match connbytes (xt_connbytes): how many packets or bytes a flow has had so far, this packet included, or how long its packets are on
// average. A rule that asks turns accounting on, for both families; a flow that began before has no counts, and never matches.

import { NO_FLOW } from '../packet/packet.ts'
import { defineMatch } from '../rule/define.ts'
import type { Negatable } from '../rule/model.ts'
import { readCounter } from '../rule/number64.ts'
import { oneOf, option, Problem, shown, unexpected } from '../rule/option.ts'

const MAX = 2n ** 64n - 1n
const EXPECTS = `a number or a range FROM:TO, from 0 to ${MAX}`

interface Counts {
  readonly min: bigint
  readonly max: bigint
}

const range = option<Counts>({
  words: 1,
  expects: EXPECTS,
  parse: ([text]) => {
    const parts = text.split(':')
    const ends = parts.map((part, i) => (part === '' && parts.length === 2 ? [0n, MAX][i] : readCounter(part)))
    const [min, max = MAX] = ends
    if (parts.length > 2 || min === undefined || ends.includes(undefined)) return unexpected(text, EXPECTS)
    return min > max ? new Problem(`${shown(text)} runs backwards: expected ${EXPECTS}`) : { min, max }
  },
  format: ({ min, max }) => (max === MAX ? String(min) : `${min}:${max}`),
})

interface Values {
  readonly connbytes: Negatable<Counts>
  readonly 'connbytes-mode': 'packets' | 'bytes' | 'avgpkt'
  readonly 'connbytes-dir': 'original' | 'reply' | 'both'
}

/** A range that ends with 0 is shown as its beginning alone. */
function asSaved(o: Values): Values {
  const { value, not } = o.connbytes
  return value.max > 0n ? o : { ...o, connbytes: { value: { ...value, max: MAX }, not } }
}

export const connbytes = defineMatch({
  name: 'connbytes',
  summary: 'how many packets or bytes a flow has had',
  conntrack: true,
  options: {
    connbytes: range.negatable().required().help('it lies there'),
    'connbytes-mode': oneOf(['packets', 'bytes', 'avgpkt']).required().help('packets, bytes, or bytes in a packet'),
    'connbytes-dir': oneOf(['original', 'reply', 'both']).required().help('of which direction'),
  },
  // Of a single number the negation is lost, as it is in Linux, where a negated range is one that runs backwards.
  normalize: ({ connbytes: { value, not }, ...rest }) => ({
    ...rest,
    connbytes: { value, not: not && value.min !== value.max },
  }),
  asSaved,
  list: (given) => {
    const o = asSaved(given)
    const { value, not } = o.connbytes
    const of = `connbytes mode ${o['connbytes-mode']} connbytes direction ${o['connbytes-dir']}`
    return `${not ? '! ' : ''}connbytes ${range.kind.format(value)} ${of}`
  },
  match: (o, { conntrack }) => {
    // Flows that are there already stay without.
    // For both families, as the kernel's one switch is.
    for (const each of [conntrack, conntrack.beside]) each?.flows.extensions.account(each.flows.used)
    const { value, not } = o.connbytes
    // What does not fit into a double exactly is more than any flow has.
    const min = Number(value.min)
    const max = Number(value.max)
    const mode = o['connbytes-mode']
    const original = o['connbytes-dir'] !== 'reply'
    const reply = o['connbytes-dir'] !== 'original'
    const { extensions } = conntrack.flows
    return ({ ct }) => {
      if (ct === NO_FLOW) return 0
      let packets = 0
      let bytes = 0
      if (original) {
        packets += extensions.packets(ct, 0)
        bytes += extensions.bytes(ct, 0)
      }
      if (reply) {
        packets += extensions.packets(ct, 1)
        bytes += extensions.bytes(ct, 1)
      }
      // The flow is not accounted.
      if (Number.isNaN(packets)) return 0
      const what =
        mode === 'packets' ? packets : mode === 'bytes' ? bytes : packets > 0 ? Math.floor(bytes / packets) : 0
      return (what >= min && what <= max) === not ? 0 : 1
    }
  },
})
