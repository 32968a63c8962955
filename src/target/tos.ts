// Target TOS (xt_dscp's TOS): the bits of the mask are cleared in the TOS byte and the value is XORed in. The other forms are
// ways to write that.

import { CONTINUE, defineTarget } from '../rule/define.ts'
import { u8 } from '../rule/option.ts'
import { tosName, tosValue } from '../rule/tos-value.ts'
import { changeTos } from './set-tos.ts'

const bits = u8({ base: 16 })
const WAYS = ['set-tos', 'and-tos', 'or-tos', 'xor-tos'] as const

export const tosTarget = defineTarget({
  name: 'TOS',
  summary: 'changes the type of service',
  tables: ['mangle'],
  terminal: false,
  options: {
    'set-tos': tosValue(0x3f).help('clears the bits of the mask and XORs the value in'),
    'and-tos': bits.help('TOS AND these bits'),
    'or-tos': bits.help('TOS OR these bits'),
    'xor-tos': bits.help('TOS XOR these bits'),
  },
  exclusive: [WAYS],
  anyOf: WAYS,
  normalize: (o) => {
    const and = o['and-tos']
    if (and !== undefined) return { 'set-tos': { value: 0, mask: ~and & 0xff } }
    const or = o['or-tos']
    if (or !== undefined) return { 'set-tos': { value: or, mask: or } }
    const xor = o['xor-tos']
    return xor === undefined ? o : { 'set-tos': { value: xor, mask: 0 } }
  },
  list: (o, numeric) => {
    const { value, mask } = o['set-tos'] ?? { value: 0, mask: 0 }
    const two = (n: number) => `0x${n.toString(16).padStart(2, '0')}`
    const name = numeric ? undefined : tosName({ value, mask })
    // The blanks are the real tool's.
    if (name !== undefined) return ` TOS set${name}`
    if (!numeric && value === 0) return `TOS and ${two(~mask & 0xff)}`
    if (!numeric && value === mask) return `TOS or ${two(value)}`
    if (!numeric && mask === 0) return `TOS xor ${two(value)}`
    return `TOS set ${two(value)}/${two(mask)}`
  },
  target: ({ 'set-tos': { value, mask } = { value: 0, mask: 0 } }) => {
    return (p) => {
      changeTos(p, mask, value)
      return CONTINUE
    }
  },
})
