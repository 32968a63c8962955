// Match eui64 (ip6t_eui64): the interface part of the source address is made of the sender's Ethernet address. A TUN device has no
// Ethernet header, so as in Linux nothing matches.

import { defineMatch } from '../rule/define.ts'

export const eui64 = defineMatch({
  name: 'eui64',
  summary: "the source address is made of the sender's Ethernet address, which packets of TUN devices do not have",
  families: [6],
  hooks: ['PREROUTING', 'INPUT', 'FORWARD'],
  options: {},
  // The blanks are the real tool's.
  listedClose: true,
  list: () => 'eui64 ',
  looks: 'packet',
  match: () => () => 0,
})
