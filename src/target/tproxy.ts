// Target TPROXY (xt_TPROXY): hands a packet to a local socket that listens at the given address. This router has no sockets, and where
// Linux finds none it drops the packet: so every packet that matches is dropped. As there, packets come whole: fragments are put
// together before any rule sees them.

import { DROP } from '../hook/hook.ts'
import { formatAny } from '../rule/address.ts'
import { defineTarget } from '../rule/define.ts'
import { maskedMark, readDecimalPort } from '../rule/kinds.ts'
import type { Family } from '../rule/model.ts'
import { unexpected, word } from '../rule/option.ts'
import { PROTO_TCP, PROTO_UDP } from '../wire/ipv4.ts'
import { addressValue } from './address-value.ts'

const EXPECTS_PORT = 'a port from 0 to 65535 or a service name'

const port = word<number>(
  EXPECTS_PORT,
  (text, context) => readDecimalPort(text, 'any', context) ?? unexpected(text, EXPECTS_PORT),
  String,
)

function tproxy(family: Family) {
  return defineTarget({
    name: 'TPROXY',
    summary: 'hands packets to a local socket, of which there are none here: they are dropped',
    families: [family],
    protocols: [PROTO_TCP, PROTO_UDP],
    tables: ['mangle'],
    hooks: ['PREROUTING'],
    defrag: true,
    terminal: true,
    options: {
      'on-port': port.required().help("the socket's port, 0 for the packet's own"),
      'on-ip': addressValue({ any: true })
        .default(family === 4 ? [0] : [0, 0, 0, 0], true)
        .help("the socket's address, by default one of the device's"),
      'tproxy-mark': maskedMark({ mask: 'always' })
        .default({ value: 0, mask: 0 }, true)
        .help('the mark of packets that a socket takes'),
    },
    list: (o) => {
      const { value, mask } = o['tproxy-mark']
      const mark = `0x${(value >>> 0).toString(16)}/0x${(mask >>> 0).toString(16)}`
      return `TPROXY redirect ${formatAny(o['on-ip'])}:${o['on-port']} mark ${mark}`
    },
    target: () => () => DROP,
  })
}

export const tproxy4 = tproxy(4)
export const tproxy6 = tproxy(6)
