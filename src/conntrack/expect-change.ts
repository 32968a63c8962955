// What commands ask of expectations and change in them, done by the thread that owns them. Mirrors nf_conntrack_netlink.

import type { Conntrack } from './conntrack.ts'
import { ADDED, CLASHES } from './expect.ts'
import { HELPER_ID } from './extensions.ts'
import { type FlowAnswer, findFlow, type NewTuple } from './flow-change.ts'
import { HELPERS } from './helper/index.ts'

export type ExpectChange =
  /** All of them, in `expectations` of the answer. */
  | { readonly kind: 'expectations' }
  | { readonly kind: 'flush-expectations' }
  /** The one that fits this tuple is told, and removed where that is asked for. */
  | {
      readonly kind: 'find-expectation'
      readonly protocol: number
      readonly tuple: NewTuple
      readonly removes: boolean
    }
  /** A new one, of the flow with the original tuple `master`, of the same protocol. */
  | {
      readonly kind: 'expect'
      readonly protocol: number
      readonly master: NewTuple
      readonly tuple: NewTuple
      readonly mask: { readonly source: readonly number[]; readonly sport: number }
    }

export function changeExpectations(conntrack: Conntrack, change: ExpectChange): FlowAnswer {
  const { expectations } = conntrack.announced
  switch (change.kind) {
    case 'expectations':
      return { done: [], expectations: [...expectations.entries()] }
    case 'flush-expectations':
      expectations.clear()
      return { done: [] }
    case 'find-expectation': {
      const { source, destination, ports } = change.tuple
      const found = expectations.find(change.protocol, source, destination, ports >>> 16, ports & 0xffff)
      if (found === undefined) return { done: [0], refused: 'ENOENT' }
      if (change.removes) found.remove()
      return { done: [1], expectations: [found.entry] }
    }
    case 'expect':
      return expect(conntrack, change)
  }
}

function expect(conntrack: Conntrack, change: ExpectChange & { kind: 'expect' }): FlowAnswer {
  const { protocol, tuple, mask } = change
  const { flows, announced } = conntrack
  const master = findFlow(conntrack, protocol, change.master)
  if (master < 0) return { done: [0], refused: 'ENOENT' }
  const { source, destination, ports } = tuple
  if (announced.expectations.find(protocol, source, destination, ports >>> 16, ports & 0xffff) !== undefined)
    return { done: [0], refused: 'EEXIST' }
  const number = flows.extensions.extraOf(master, HELPER_ID)
  const helper = HELPERS[number]
  if (helper === undefined) return { done: [0], refused: 'EOPNOTSUPP' }
  const said = announced.expectations.add(
    {
      helper: number,
      class: 0,
      master,
      protocol,
      source,
      sourceMask: mask.source,
      destination,
      sport: ports >>> 16,
      sportMask: mask.sport,
      dport: ports & 0xffff,
      follow: undefined,
    },
    helper.policies[0],
  )
  return said === ADDED ? { done: [1] } : { done: [0], refused: said === CLASHES ? 'EBUSY' : 'EMFILE' }
}
