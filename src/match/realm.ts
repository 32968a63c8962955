// Match realm (xt_realm): the realm of the packet's route. Routes have none here, which is realm 0.

import { defineMatch } from '../rule/define.ts'
import { formatMark } from '../rule/kinds.ts'
import { namedNumber } from '../rule/named-number.ts'

const realms = namedNumber('a routing realm', '/etc/iproute2/rt_realms', { cosmos: 0 })

export const realm = defineMatch({
  name: 'realm',
  summary: "the realm of the packet's route; always 0 here",
  families: [4],
  hooks: ['INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  options: {
    realm: realms.negatable().required().help('the value under the mask, or its name'),
  },
  list: ({ realm: { value, not } }, numeric) => {
    const text = numeric ? formatMark(value) : realms.kind.format(value)
    return `${not ? '! ' : ''}realm ${text}`
  },
  looks: 'packet',
  match: ({ realm: { value: wanted, not } }) => {
    const said = (wanted.value === 0) === not ? 0 : 1
    return () => said
  },
})
