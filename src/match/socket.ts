// Match socket (xt_socket): an open socket of the router's is the packet's. No process has one here, so as in Linux without any, nothing
// matches. As there, packets are put together from their fragments for it.

import { defineMatch } from '../rule/define.ts'
import { words } from '../rule/listing.ts'
import { flag } from '../rule/option.ts'

export const socket = defineMatch({
  name: 'socket',
  summary: 'there is an open socket for the packet; no process has one here',
  defrag: true,
  hooks: ['PREROUTING', 'INPUT'],
  options: {
    transparent: flag().help('only sockets that may have addresses of others'),
    nowildcard: flag().help('sockets that listen on every address too'),
    'restore-skmark': flag().help("the packet gets the socket's mark"),
  },
  list: (o) =>
    words(
      'socket',
      o.transparent && '--transparent',
      o.nowildcard && '--nowildcard',
      o['restore-skmark'] && '--restore-skmark',
    ),
  looks: 'packet',
  match: () => () => 0,
})
