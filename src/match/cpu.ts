// Match cpu (xt_cpu): the processor on which the packet is handled. All packets of a router are handled by one thread, which stands for
// processor 0.

import { defineMatch } from '../rule/define.ts'
import { apart } from '../rule/listing.ts'
import { u32 } from '../rule/option.ts'

const ONLY = 0

export const cpu = defineMatch({
  name: 'cpu',
  summary: 'the processor that handles the packet; always 0 here',
  options: { cpu: u32().negatable().required().help('this one') },
  list: ({ cpu }) => `cpu ${apart(cpu)}${cpu.value}`,
  looks: 'flow',
  match: ({ cpu: { value, not } }) => {
    const said = (value === ONLY) === not ? 0 : 1
    return () => said
  },
})
