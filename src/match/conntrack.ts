// Match conntrack (xt_conntrack): the flow's state, protocol, addresses and ports in both directions, status, remaining time,
// and the packet's direction. Without a flow (INVALID, UNTRACKED) only the state can match: then the other options are not
// asked if --ctstate was given and fits, and the rule does not match if it was not given. That is the kernel's doing.

import * as record from '../conntrack/record.ts'
import { NO_FLOW } from '../packet/packet.ts'
import { defineMatch, type ValuesOf } from '../rule/define.ts'
import { hostMask, type PortRange, portRange, protocol } from '../rule/kinds.ts'
import type { Negatable, Network } from '../rule/model.ts'
import { bitNames, oneOf, u32Range } from '../rule/option.ts'
import { STATE, stateBit } from './ct-state.ts'

const address = hostMask().negatable()
const ports = portRange({ services: 'any', decimal: true, reversed: true }).negatable()

const options = {
  ctstate: bitNames(STATE, { order: ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED', 'SNAT', 'DNAT'] })
    .negatable()
    .help('one of these states'),
  ctproto: protocol().negatable().help("the flow's protocol"),
  ctorigsrc: address.help('original source address'),
  ctorigdst: address.help('original destination address'),
  ctreplsrc: address.help('source address of replies'),
  ctrepldst: address.help('destination address of replies'),
  ctorigsrcport: ports.help('original source port'),
  ctorigdstport: ports.help('original destination port'),
  ctreplsrcport: ports.help('source port of replies'),
  ctrepldstport: ports.help('destination port of replies'),
  ctstatus: bitNames(
    {
      EXPECTED: record.EXPECTED,
      SEEN_REPLY: record.SEEN_REPLY,
      ASSURED: record.ASSURED,
      CONFIRMED: record.CONFIRMED,
    },
    { none: 'NONE' },
  )
    .negatable()
    .help('one of these is true of the flow'),
  ctexpire: u32Range().negatable().help('seconds until the flow ends'),
  ctdir: oneOf(['ORIGINAL', 'REPLY'], { anyCase: true }).help("the packet's direction"),
}

const PORTS = ['ctorigsrcport', 'ctorigdstport', 'ctreplsrcport', 'ctrepldstport'] as const

/** A test of the flow alone. */
type Test = (ct: number) => boolean

export const conntrack = defineMatch({
  name: 'conntrack',
  summary: "the flow's state, addresses, ports, status and remaining time",
  conntrack: true,
  options,
  anyOf: Object.keys(options) as (keyof typeof options)[],
  // The states alone, which nearly every rule set asks for first. SNAT and DNAT are the flow's, not the packet's.
  plain: ({ ctstate, ...others }) =>
    ctstate !== undefined &&
    (ctstate.value & (STATE.SNAT | STATE.DNAT)) === 0 &&
    Object.values(others).every((other) => other === undefined)
      ? { states: ctstate.not ? ~ctstate.value : ctstate.value }
      : undefined,
  // A range of ports that ends with 0 is shown as its beginning alone.
  asSaved: (o) => {
    const saved: { -readonly [K in keyof typeof o]: (typeof o)[K] } = { ...o }
    for (const name of PORTS) {
      const range = o[name]
      if (range?.value.max === 0) saved[name] = { ...range, value: { min: range.value.min, max: range.value.min } }
    }
    return saved
  },
  looks: 'packet',
  match: (o, { conntrack, time }) => {
    const { flows } = conntrack
    const states = o.ctstate?.value ?? 0
    const stateGiven = o.ctstate !== undefined
    const stateNot = o.ctstate?.not === true
    const withoutFlow = stateGiven ? 1 : 0
    const direction = o.ctdir === undefined ? -1 : o.ctdir === 'ORIGINAL' ? 0 : 1
    const tests = testsOf(o, flows, time, conntrack)
    return (p) => {
      const { ct } = p
      if (stateGiven) {
        let bits = stateBit(p)
        if (ct !== NO_FLOW) {
          const status = flows.status(ct)
          if ((status & record.SRC_NAT) !== 0) bits |= STATE.SNAT
          if ((status & record.DST_NAT) !== 0) bits |= STATE.DNAT
        }
        if (((bits & states) !== 0) === stateNot) return 0
      }
      if (ct === NO_FLOW) return withoutFlow
      if (direction >= 0 && p.direction !== direction) return 0
      for (let i = 0; i < tests.length; i++) if (!tests[i](ct)) return 0
      return 1
    }
  },
})

interface Flows {
  sourceWord(ct: number, direction: number, word: number): number
  destinationWord(ct: number, direction: number, word: number): number
  sport(ct: number, direction: number): number
  dport(ct: number, direction: number): number
  protocol(ct: number): number
  status(ct: number): number
  expires(ct: number): number
}

/** What was left of the flow that was ended last, at its end. */
interface Ended {
  readonly endedFlow: number
  readonly endedExpires: number
}

function testsOf(o: ValuesOf<typeof options>, flows: Flows, time: { readonly now: number }, ended: Ended): Test[] {
  const tests: Test[] = []
  const add = <T>(given: Negatable<T> | undefined, make: (value: T) => Test) => {
    if (given === undefined) return
    const test = make(given.value)
    tests.push(given.not ? (ct) => !test(ct) : test)
  }
  const within = ({ address, mask }: Network, of: (ct: number, word: number) => number): Test => {
    return (ct) => {
      for (let i = 0; i < address.length; i++) if (((of(ct, i) ^ address[i]) & mask[i]) !== 0) return false
      return true
    }
  }
  const inRange = ({ min, max }: PortRange, of: (ct: number) => number): Test => {
    return (ct) => of(ct) >= min && of(ct) <= max
  }
  add(o.ctproto, (value) => (ct) => flows.protocol(ct) === value)
  add(o.ctorigsrc, (value) => within(value, (ct, i) => flows.sourceWord(ct, 0, i)))
  add(o.ctorigdst, (value) => within(value, (ct, i) => flows.destinationWord(ct, 0, i)))
  add(o.ctreplsrc, (value) => within(value, (ct, i) => flows.sourceWord(ct, 1, i)))
  add(o.ctrepldst, (value) => within(value, (ct, i) => flows.destinationWord(ct, 1, i)))
  add(o.ctorigsrcport, (value) => inRange(value, (ct) => flows.sport(ct, 0)))
  add(o.ctorigdstport, (value) => inRange(value, (ct) => flows.dport(ct, 0)))
  add(o.ctreplsrcport, (value) => inRange(value, (ct) => flows.sport(ct, 1)))
  add(o.ctrepldstport, (value) => inRange(value, (ct) => flows.dport(ct, 1)))
  add(o.ctstatus, (value) => (ct) => (flows.status(ct) & value) !== 0)
  // A flow's time runs from its confirmation; before that the kernel gives 0. The packet that ended its flow still sees what was left.
  const expires = (ct: number) => (ended.endedFlow === ct ? ended.endedExpires : flows.expires(ct))
  const seconds: (ct: number) => number = (ct) =>
    (flows.status(ct) & record.CONFIRMED) === 0 ? 0 : Math.max(0, Math.floor(((expires(ct) - time.now) | 0) / 1000))
  add(o.ctexpire, (value) => inRange(value, seconds))
  return tests
}
