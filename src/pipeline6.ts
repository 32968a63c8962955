// The packet's way for IPv6, beside IPv4's (pipeline.ts), with hooks in the same places.

import { ACCEPT, DROP, PREROUTING } from './hook/hook.ts'
import { type Queued, type Step, Way } from './hook/way.ts'
import type { QueuedWay, Queues } from './nfnetlink/nfqueue.ts'
import { readOffload } from './packet/offload.ts'
import type { Packet } from './packet/packet.ts'
import { PARSED } from './packet/parse.ts'
import { parse6 } from './packet/parse6.ts'
import { REASON } from './packet/reason.ts'
import type { Ends } from './pipeline-ends.ts'
import { registered, type UserHook } from './pipeline-register.ts'
import type { Program } from './rule/program.ts'
import type { Sysctl } from './sysctl.ts'
import type { Time } from './time.ts'
import * as vnet from './wire/vnet.ts'

export interface Pipeline6Parts {
  readonly ends: Ends
  readonly queues: Queues
  readonly time: Time
  readonly sysctl: Sysctl
  readonly random: () => number
  /** Told what an operator should know. */
  readonly notice: (message: string) => void
}

export class Pipeline6 implements QueuedWay {
  readonly conntrack = undefined
  readonly ends: Ends
  readonly #notice: (message: string) => void
  readonly queues: Queues
  #way: Way

  constructor(parts: Pipeline6Parts) {
    this.ends = parts.ends
    this.#notice = parts.notice
    this.queues = parts.queues
    this.#way = new Way(this.#queued)
  }

  /** As in pipeline.ts. */
  register(program: Program, _tracking: boolean, _defragmenting: boolean, users: readonly UserHook[]): void {
    this.#way = registered(program, users, {
      queued: this.#queued,
      drop: (p, reason) => this.drop(p, reason),
      notice: this.#notice,
      nat: () => ACCEPT,
      defragment: undefined,
      conntrack: undefined,
    })
  }

  /** A packet that a device received. */
  receive(p: Packet): void {
    let parsed = parse6(p)
    if (parsed === PARSED && vnet.isOffloaded(p.view, p.start)) parsed = readOffload(p)
    if (parsed !== PARSED) return this.drop(p, parsed)
    const verdict = this.#way.walk(PREROUTING, p)
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    this.#route(p)
  }

  #route(p: Packet): void {
    this.drop(p, REASON['no-route'])
  }

  readonly #queued: Queued = (p, at, step, verdict) => this.queues.hold(p, at, step, verdict, this)

  parse(p: Packet): number {
    return parse6(p)
  }

  /** A packet that was queued goes on. */
  resume(p: Packet, at: number, step: Step, again: boolean): void {
    const verdict = this.#way.walk(at, p, this.#way.place(at, step, again))
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    this.#route(p)
  }

  abandon(_p: Packet, reason: number): void {
    this.ends.dropped[reason]++
  }

  #end(p: Packet, verdict: number): void {
    if (verdict === DROP) this.drop(p, this.#way.reason)
  }

  /** The packet goes no further: counted under one reason, its slot given back. */
  drop(p: Packet, reason: number): void {
    this.ends.dropped[reason]++
    this.ends.slab.give(p.start)
  }
}
