// Conntrack on a virtual clock, fed with bytes: what the unit tests of the trackers look at.

import { Conntrack4 } from '../../src/conntrack/conntrack4.ts'
import * as f from '../../src/conntrack/record.ts'
import { stateName } from '../../src/conntrack/states.ts'
import { Packet } from '../../src/packet/packet.ts'
import { PARSED, parse4 } from '../../src/packet/parse.ts'
import { Slab } from '../../src/packet/slab.ts'
import { sysctls } from '../../src/sysctl.ts'
import { Time } from '../../src/time.ts'

const STATES = ['INVALID', 'NEW', 'ESTABLISHED', 'RELATED', 'UNTRACKED']

export class Tracked {
  readonly time = new Time()
  readonly conntrack: Conntrack4
  readonly #slab = new Slab(1)
  readonly #packet = new Packet(this.#slab)

  constructor(settings: Record<string, number> = {}) {
    this.time.set(1000)
    const sysctl = sysctls({ 'net.netfilter.nf_conntrack_max': 100, ...settings })
    this.conntrack = new Conntrack4({ time: this.time, sysctl }, 1)
  }

  wait(seconds: number): void {
    this.time.set(this.time.wall + seconds * 1000)
  }

  /** The state of a packet that comes in by a device, or with `own` is sent by the router itself. */
  send(bytes: Uint8Array, own = false): string {
    const start = this.#slab.take()
    this.#slab.bytes.set(bytes, start)
    const p = this.#packet
    p.begin(start, bytes.length, own ? 0 : 1)
    if (parse4(p) !== PARSED) throw new Error('not an IPv4 packet')
    this.conntrack.input(p)
    const state = STATES[p.ctinfo]!
    this.conntrack.confirm(p)
    this.conntrack.forget(p)
    this.#slab.give(start)
    return state
  }

  /** The only flow there is: state, seconds left, ASSURED; 'none' without one. */
  flow(): string {
    const { flows } = this.conntrack
    const found: string[] = []
    for (let ct = 0; ct < flows.used; ct++) {
      const left = (flows.expires(ct) - this.time.now) | 0
      if (!flows.inUse(ct) || left <= 0) continue
      const state = stateName(flows.protocol(ct), flows.words[ct * f.WORDS + f.TRACKER]!)
      found.push([state, left / 1000, (flows.status(ct) & 4) !== 0 ? 'ASSURED' : ''].filter(Boolean).join(' '))
    }
    return found.join(', ') || 'none'
  }
}
