// Match realm (xt_realm): the realm of the packet's route. Routes have none here, which is realm 0.

import { defineMatch } from '../rule/define.ts'
import { namedNumber } from '../rule/named-number.ts'

export const realm = defineMatch({
  name: 'realm',
  summary: "the realm of the packet's route; always 0 here",
  families: [4],
  hooks: ['INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  options: {
    realm: namedNumber('a routing realm', '/etc/iproute2/rt_realms', { cosmos: 0 })
      .negatable()
      .required()
      .help('the value under the mask, or its name'),
  },
  looks: 'packet',
  match: ({ realm: { value: wanted, not } }) => {
    const said = (wanted.value === 0) === not ? 0 : 1
    return () => said
  },
})
