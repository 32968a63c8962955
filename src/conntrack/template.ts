// What a CT target says about flows before conntrack sees their first packet: Linux hangs a conntrack template on the packet,
// here the packet carries the template's number and zone. Equal templates are one, so that rules that are loaded again and
// again make no more of them.

import type { Packet } from '../packet/packet.ts'
import type { Extensions } from './extensions.ts'
import * as extra from './extensions.ts'

export interface Template {
  /** As a packet's zone: record.ts. */
  readonly zone: number
  /** Number of a timeout policy, 0 for none. */
  readonly policy: number
  /** Number of a connection helper, 0 for none. */
  readonly helper: number
  /** Bits 1 << event (events.ts) of flows that are told, in the upper half word those of expectations; 0 for all. */
  readonly events: number
  /** The flow is one that target SYNPROXY opens. */
  readonly synproxy?: boolean
}

export class Templates {
  readonly #known = new Map<string, number>()
  /** By number; a packet without a template has number 0. */
  readonly #list: Template[] = [{ zone: 0, policy: 0, helper: 0, events: 0 }]

  /** The number of this template, for `assign`: asked for once, when the rule is made. */
  intern(template: Template): number {
    const { zone, policy, helper, events, synproxy = false } = template
    const name = `${zone} ${policy} ${helper} ${events} ${synproxy}`
    let number = this.#known.get(name)
    if (number === undefined) {
      number = this.#list.push(template) - 1
      this.#known.set(name, number)
    }
    return number
  }

  /** The packet carries it: what is said of the flow that it may begin, and the zone that it is looked up in. */
  assign(p: Packet, number: number): void {
    p.template = number
    p.zone = this.#list[number].zone
  }

  /** Gives a flow that is just being begun what its packet's template says. */
  apply(number: number, ct: number, extensions: Extensions): void {
    const { policy, helper, events, synproxy } = this.#list[number]
    if (synproxy) extensions.proxy()[ct * extra.PROXY_WORDS + extra.PROXIED] = 1
    if ((policy | helper | events) === 0) return
    const extras = extensions.extra()
    const at = ct * extra.EXTRA_WORDS
    extras[at + extra.POLICY] = policy
    extras[at + extra.HELPER_ID] = helper
    extras[at + extra.EVENT_MASK] = events
  }
}
