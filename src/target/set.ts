// Target SET (xt_SET): adds the packet's addresses, ports, devices to a set, takes them out of one, or takes the packet's mark
// from the member that it matches. What cannot be added or is not there changes nothing. It goes on with the next rule.

import { NO } from '../ipset/ask.ts'
import { SET_TIMEOUT } from '../ipset/extensions.ts'
import { TIMEOUT_MAX } from '../ipset/settings.ts'
import { CONTINUE, defineTarget, NotTaken, type TargetFunction } from '../rule/define.ts'
import { flag, u32 } from '../rule/option.ts'
import { askOf, setReference } from '../rule/set-reference.ts'

const MAPPED = ['map-mark', 'map-prio', 'map-queue'] as const

export const setTarget = defineTarget({
  name: 'SET',
  summary: "adds to a set made by ipset, deletes from one, or takes a packet's mark from it",
  terminal: false,
  options: {
    'add-set': setReference().help('adds a member'),
    exist: flag().help('a member that is there gets its timeout anew'),
    timeout: u32({ max: 0xfffffffe }).help("seconds for which the member stays, instead of the set's own"),
    'del-set': setReference().help('takes a member out'),
    'map-set': setReference().help('looks for a member with skbinfo'),
    'map-mark': flag().repeatable().help("the packet's mark is changed as the member says"),
    'map-prio': flag().repeatable().help("the packet's priority is the member's (as CLASSIFY sets it)"),
    'map-queue': flag()
      .repeatable()
      .help("the packet goes into the member's queue of its device, where that has several: devices here have one"),
  },
  hooksFor: (o) => (o['map-prio'] || o['map-queue'] ? ['FORWARD', 'OUTPUT', 'POSTROUTING'] : undefined),
  anyOf: ['add-set', 'del-set', 'map-set'],
  check: (o, { table }) => {
    const only = (name: string, other: string) => `--${name} goes with --${other} alone`
    if (o['add-set'] === undefined) {
      if (o.exist) return only('exist', 'add-set')
      if (o.timeout !== undefined) return only('timeout', 'add-set')
    }
    const mapped = MAPPED.find((name) => o[name])
    if (o['map-set'] === undefined) return mapped && only(mapped, 'map-set')
    if (mapped !== undefined && table !== 'mangle')
      return new NotTaken('tables', `--map-set cannot stand in table ${table}: expected mangle`)
    return mapped === undefined
      ? `it is not said what to map: expected ${MAPPED.map((name) => `--${name}`).join(', ')}`
      : undefined
  },
  target: (o, env, around) => {
    const steps: TargetFunction[] = []
    const add = o['add-set']
    if (add !== undefined) {
      const { slot, ask } = askOf(add, env, around)
      const { extras } = ask
      extras.timeout = o.timeout === undefined ? SET_TIMEOUT : Math.min(o.timeout, TIMEOUT_MAX)
      extras.packetsLow = 1
      extras.hasPackets = true
      extras.hasBytes = true
      ask.exist = o.exist === true
      steps.push((p) => {
        extras.bytesLow = p.length
        return slot.add(p, ask)
      })
    }
    const remove = o['del-set']
    if (remove !== undefined) {
      const { slot, ask } = askOf(remove, env, around)
      steps.push((p) => slot.delete(p, ask))
    }
    const map = o['map-set']
    if (map !== undefined) {
      const { slot, ask } = askOf(map, env, around)
      steps.push((p) => {
        ask.forget()
        if (slot.test(p, ask) === NO) return 0
        const { found, place } = ask
        if (found === undefined) return 0
        if (o['map-mark']) p.mark = (p.mark & ~found.markMask(place)) ^ found.mark(place)
        if (o['map-prio']) p.priority = found.priority(place)
        return 0
      })
    }
    return (p, hook) => {
      for (let i = 0; i < steps.length; i++) steps[i](p, hook)
      return CONTINUE
    }
  },
})
