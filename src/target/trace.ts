// Target TRACE (xt_TRACE): from here on a line is logged for every rule and policy that the packet meets (pipeline-trace.ts). This
// rule itself is not told of.

import { CONTINUE, defineTarget } from '../rule/define.ts'

export const trace = defineTarget({
  name: 'TRACE',
  summary: "logs the packet's way through the rules from here on",
  tables: ['raw'],
  terminal: false,
  traces: true,
  options: {},
  target: () => (p) => {
    p.trace = 1
    return CONTINUE
  },
})
