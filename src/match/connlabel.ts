// Match connlabel (xt_connlabel): a label of the packet's flow, which --set puts on it. A flow that began before a rule about labels
// was loaded carries none, and a packet without a flow has none: both match the negation alone.

import { LabelNames } from '../conntrack/command/labels.ts'
import { LABEL_BITS } from '../conntrack/extensions.ts'
import { setLabel } from '../conntrack/marks.ts'
import { NO_FLOW } from '../packet/packet.ts'
import { defineMatch } from '../rule/define.ts'
import { readCounter } from '../rule/number64.ts'
import { flag, Problem, shown, unexpected, word } from '../rule/option.ts'

const EXPECTS = `a label's number from 0 to ${LABEL_BITS - 1}, or its name in /etc/xtables/connlabel.conf`

/** Read once, when a rule first asks. */
let names: { readonly read: LabelNames | undefined } | undefined

function labelNames(): LabelNames | undefined {
  names ??= { read: LabelNames.read() }
  return names.read
}

/** Of a number 32 bits count, the highest of which is a sign. */
function readLabel(text: string): number | Problem {
  const number = readCounter(text)
  const label = number === undefined ? labelNames()?.number(text) : Number(BigInt.asIntN(32, number))
  if (label === undefined || label < 0) return unexpected(text, EXPECTS)
  return label < LABEL_BITS ? label : new Problem(`${shown(text)} is out of range: expected ${EXPECTS}`, 0, 'range')
}

export const connlabel = defineMatch({
  name: 'connlabel',
  summary: "a label of the packet's flow",
  conntrack: true,
  options: {
    label: word<number>(EXPECTS, readLabel, (bit) => `"${labelNames()?.name(bit) ?? bit}"`)
      .negatable()
      .required()
      .help('it has this label'),
    set: flag().help('it gets the label where it has it not'),
  },
  list: ({ label: { value, not }, set }) =>
    `connlabel ${not ? '! ' : ''}${labelNames()?.name(value) ?? value}${set ? ' set' : ''}`,
  match: ({ label: { value: bit, not }, set }, { conntrack }) => {
    const { extensions } = conntrack.flows
    extensions.label()
    const hit = not ? 0 : 1
    const sets = set === true
    return ({ ct }) => {
      if (ct === NO_FLOW) return 1 - hit
      if (extensions.labelled(ct, bit)) return hit
      return sets && setLabel(conntrack, ct, bit) ? hit : 1 - hit
    }
  },
})
