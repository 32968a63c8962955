// Target MARK (xt_mark): the bits of the mask are cleared in the packet's mark and the value is XORed in. The other forms are
// ways to write that.

import { CONTINUE, defineTarget } from '../rule/define.ts'
import { hex, maskedMark } from '../rule/kinds.ts'
import { u32 } from '../rule/option.ts'

const bits = u32({ base: 16 })

export const markTarget = defineTarget({
  name: 'MARK',
  summary: "changes the packet's mark",
  terminal: false,
  options: {
    'set-xmark': maskedMark({ mask: 'always' }).help('clears the bits of the mask and XORs the value in'),
    'set-mark': maskedMark().help('sets the value; only bits of value and mask change'),
    'and-mark': bits.help('mark AND these bits'),
    'or-mark': bits.help('mark OR these bits'),
    'xor-mark': bits.help('mark XOR these bits'),
  },
  exclusive: [['set-xmark', 'set-mark', 'and-mark', 'or-mark', 'xor-mark']],
  anyOf: ['set-xmark', 'set-mark', 'and-mark', 'or-mark', 'xor-mark'],
  normalize: (o) => {
    const set = o['set-mark']
    if (set !== undefined) return { 'set-xmark': { value: set.value, mask: set.value | set.mask } }
    const and = o['and-mark']
    if (and !== undefined) return { 'set-xmark': { value: 0, mask: ~and } }
    const or = o['or-mark']
    if (or !== undefined) return { 'set-xmark': { value: or | 0, mask: or | 0 } }
    const xor = o['xor-mark']
    if (xor !== undefined) return { 'set-xmark': { value: xor | 0, mask: 0 } }
    return o
  },
  list: (o) => {
    const { value, mask } = o['set-xmark'] ?? { value: 0, mask: 0 }
    if (value === 0) return `MARK and ${hex(~mask)}`
    if (value === mask) return `MARK or ${hex(value)}`
    if (mask === 0) return `MARK xor ${hex(value)}`
    return mask === -1 ? `MARK set ${hex(value)}` : `MARK xset ${hex(value)}/${hex(mask)}`
  },
  target: (o) => {
    const { value, mask } = o['set-xmark'] ?? { value: 0, mask: 0 }
    return (p) => {
      p.mark = (p.mark & ~mask) ^ value
      return CONTINUE
    }
  },
})
