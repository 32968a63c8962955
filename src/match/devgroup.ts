// Match devgroup (xt_devgroup): the group of the packet's devices. All devices are in group 0 here, which is where Linux puts a
// device.

import { defineMatch } from '../rule/define.ts'
import { formatMark, type MaskedMark } from '../rule/kinds.ts'
import type { Negatable } from '../rule/model.ts'
import { namedNumber } from '../rule/named-number.ts'

const group = namedNumber('a group of devices', '/etc/iproute2/group', { default: 0 }).negatable()

export const devgroup = defineMatch({
  name: 'devgroup',
  summary: "the group of the packet's devices; always 0 here",
  options: {
    'src-group': group.help("the incoming device's"),
    'dst-group': group.help("the outgoing device's"),
  },
  list: (o, numeric) =>
    (['src-group', 'dst-group'] as const)
      .flatMap((name) => {
        const given = o[name]
        if (given === undefined) return []
        const text = numeric ? formatMark(given.value) : group.kind.format(given.value)
        return [`${given.not ? '! ' : ''}${name} ${text}`]
      })
      .join(' '),
  anyOf: ['src-group', 'dst-group'],
  hooksFor: (o) => {
    const hooks = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']
    const first = o['dst-group'] === undefined ? 0 : 2
    return hooks.slice(first, o['src-group'] === undefined ? 5 : 3)
  },
  looks: 'flow',
  match: (o) => {
    const said = fits(o['src-group']) && fits(o['dst-group']) ? 1 : 0
    return () => said
  },
})

/** The mask is on the whole: what of the value lies outside of it does not count. */
function fits(asked: Negatable<MaskedMark> | undefined): boolean {
  return asked === undefined || ((asked.value.value & asked.value.mask) === 0) !== asked.not
}
