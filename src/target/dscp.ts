// Target DSCP (xt_DSCP): sets the upper six bits of the TOS byte (RFC 2474) and leaves the two of ECN.

import { CONTINUE, defineTarget } from '../rule/define.ts'
import { dscpClass, dscpNumber } from '../rule/dscp-value.ts'
import { changeTos } from './set-tos.ts'

export const dscpTarget = defineTarget({
  name: 'DSCP',
  summary: 'sets the differentiated services code point',
  tables: ['mangle'],
  terminal: false,
  options: { 'set-dscp': dscpNumber.help('to this'), 'set-dscp-class': dscpClass.help('to the value of this class') },
  exclusive: [['set-dscp', 'set-dscp-class']],
  anyOf: ['set-dscp', 'set-dscp-class'],
  normalize: (o) => ({ 'set-dscp': o['set-dscp'] ?? o['set-dscp-class'] }),
  list: (o) => `DSCP set ${dscpNumber.kind.format(o['set-dscp'] ?? 0)}`,
  target: ({ 'set-dscp': value = 0 }) => {
    return (p) => {
      changeTos(p, 0xfc, value << 2)
      return CONTINUE
    }
  },
})
