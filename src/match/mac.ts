// Match mac (xt_mac): the sender's Ethernet address. A TUN device has no Ethernet header, so as in Linux nothing matches, and
// nothing matches the negation either.

import { defineMatch } from '../rule/define.ts'
import { unexpected, word } from '../rule/option.ts'

const EXPECTS = 'an Ethernet address as in 00:11:22:33:44:55'

const address = word<string>(
  EXPECTS,
  (text) =>
    /^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(text)
      ? text
          .toLowerCase()
          .split(':')
          .map((part) => part.padStart(2, '0'))
          .join(':')
      : unexpected(text, EXPECTS),
  (value) => value,
)

export const mac = defineMatch({
  name: 'mac',
  summary: "the sender's Ethernet address, which packets of TUN devices do not have",
  hooks: ['PREROUTING', 'INPUT', 'FORWARD'],
  options: { 'mac-source': address.negatable().required().help('this one') },
  list: ({ 'mac-source': { value, not } }) => `MAC ${not ? '! ' : ''}${address.kind.format(value)}`,
  looks: 'packet',
  match: () => () => 0,
})
