// Target CONNMARK (xt_connmark, revision 2): the flow's mark is set, saved from the packet's, or restored to the packet,
// each under masks and shifted. A packet without a flow is left alone.

import { setMark } from '../conntrack/marks.ts'
import { NO_FLOW } from '../packet/packet.ts'
import { CONTINUE, defineTarget, lastOf, type TargetFunction } from '../rule/define.ts'
import { hex, maskedMark } from '../rule/kinds.ts'
import { words } from '../rule/listing.ts'
import { flag, u8, u32 } from '../rule/option.ts'

const bits = u32({ base: 16 })
const shift = u8({ max: 31 })
const WAYS = ['set-xmark', 'set-mark', 'and-mark', 'or-mark', 'xor-mark', 'save-mark', 'restore-mark'] as const
const ALL = 0xffffffff

export const connmarkTarget = defineTarget({
  name: 'CONNMARK',
  summary: "changes the flow's mark, or copies it from or to the packet's",
  conntrack: true,
  terminal: false,
  options: {
    'set-xmark': maskedMark({ mask: 'always' }).help('clears the bits of the mask and XORs the value in'),
    'set-mark': maskedMark().help('sets the value; only bits of value and mask change'),
    'and-mark': bits.help('mark AND these bits'),
    'or-mark': bits.help('mark OR these bits'),
    'xor-mark': bits.help('mark XOR these bits'),
    'save-mark': flag().help("copies the packet's mark to the flow"),
    'restore-mark': flag().help("copies the flow's mark to the packet"),
    nfmask: bits.help("the bits of the packet's mark that are copied, or replaced"),
    ctmask: bits.help("the bits of the flow's mark that are replaced, or copied"),
    mask: bits.help('both'),
    'left-shift-mark': shift.help('what is copied, or the result of setting, is shifted'),
    'right-shift-mark': shift.help('the same the other way'),
  },
  exclusive: [WAYS, ['mask', 'nfmask'], ['mask', 'ctmask']],
  anyOf: WAYS,
  normalize: (o) => {
    const { mask } = o
    const shifted = lastOf(o, ['left-shift-mark', 'right-shift-mark'])
    const shifts = {
      'left-shift-mark': (shifted === 'left-shift-mark' && o[shifted]) || undefined,
      'right-shift-mark': (shifted === 'right-shift-mark' && o[shifted]) || undefined,
    }
    if (o['save-mark'] || o['restore-mark'])
      return {
        'save-mark': o['save-mark'],
        'restore-mark': o['restore-mark'],
        nfmask: mask ?? o.nfmask ?? ALL,
        ctmask: mask ?? o.ctmask ?? ALL,
        ...shifts,
      }
    const xmark = setting(o)
    // A mask of its own counts if it stands behind.
    const last = lastOf(o, [...WAYS, 'mask', 'ctmask'])
    const masked = last === 'mask' || last === 'ctmask' ? o[last] : undefined
    return { 'set-xmark': masked === undefined ? xmark : { value: xmark.value, mask: masked | 0 }, ...shifts }
  },
  list: (o) => {
    const shifted = words(
      o['left-shift-mark'] !== undefined && `left-shift-mark ${o['left-shift-mark']}`,
      o['right-shift-mark'] !== undefined && `right-shift-mark ${o['right-shift-mark']}`,
    )
    if (o['save-mark'] || o['restore-mark']) {
      const { nfmask = ALL, ctmask = ALL } = o
      const all = nfmask === ALL && ctmask === ALL
      const different = o['save-mark']
        ? `nfmask ${hex(nfmask)} ctmask ~${hex(ctmask)}`
        : `ctmask ${hex(ctmask)} nfmask ~${hex(nfmask)}`
      const masks = all ? '' : nfmask === ctmask ? `mask ${hex(nfmask)}` : different
      return words('CONNMARK', o['save-mark'] ? 'save' : 'restore', masks, shifted)
    }
    const { value, mask } = o['set-xmark'] ?? { value: 0, mask: 0 }
    const how =
      value === 0
        ? `and ${hex(~mask)}`
        : value === mask
          ? `or ${hex(value)}`
          : mask === 0
            ? `xor ${hex(value)}`
            : mask === -1
              ? `set ${hex(value)}`
              : `xset ${hex(value)}/${hex(mask)}`
    return words('CONNMARK', how, shifted)
  },
  target: (o, { conntrack }) => {
    const { flows } = conntrack
    const left = o['left-shift-mark'] ?? 0
    const right = o['right-shift-mark'] ?? 0
    const xmark = o['set-xmark']
    if (xmark !== undefined) {
      const { value, mask } = xmark
      return onFlow((p) => setMark(conntrack, p.ct, (((flows.mark(p.ct) & ~mask) ^ value) << left) >>> right))
    }
    const nfmask = (o.nfmask ?? ALL) | 0
    const ctmask = (o.ctmask ?? ALL) | 0
    if (o['save-mark'])
      return onFlow((p) => {
        const copied = ((p.mark & nfmask) << left) >>> right
        setMark(conntrack, p.ct, (flows.mark(p.ct) & ~ctmask) ^ copied)
      })
    return onFlow((p) => {
      const copied = ((flows.mark(p.ct) & ctmask) << left) >>> right
      p.mark = (p.mark & ~nfmask) ^ copied
    })
  },
})

function setting(o: {
  readonly 'set-xmark'?: { readonly value: number; readonly mask: number }
  readonly 'set-mark'?: { readonly value: number; readonly mask: number }
  readonly 'and-mark'?: number
  readonly 'or-mark'?: number
  readonly 'xor-mark'?: number
}): { readonly value: number; readonly mask: number } {
  const set = o['set-mark']
  if (set !== undefined) return { value: set.value, mask: set.value | set.mask }
  const and = o['and-mark']
  if (and !== undefined) return { value: 0, mask: ~and }
  const or = o['or-mark']
  if (or !== undefined) return { value: or | 0, mask: or | 0 }
  const xor = o['xor-mark']
  if (xor !== undefined) return { value: xor | 0, mask: 0 }
  return o['set-xmark'] ?? { value: 0, mask: 0 }
}

function onFlow(change: (p: Parameters<TargetFunction>[0]) => void): TargetFunction {
  return (p) => {
    if (p.ct !== NO_FLOW) change(p)
    return CONTINUE
  }
}
