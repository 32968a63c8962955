// conntrack on the control socket: what conntrack-tools says and prints (conntrack/command/), for clients of the gateway.

import { Fault } from '../conntrack/command/fault.ts'
import { LabelNames } from '../conntrack/command/labels.ts'
import { type FlowSource, runConntrack } from '../conntrack/command/run.ts'
import { Failure } from '../iptables/program.ts'
import { protocolNumber } from '../rule/names.ts'
import type { ControlProgram, Conversation } from './program.ts'

export class ConntrackProgram implements ControlProgram {
  readonly names = 'conntrack'
  readonly #source: FlowSource
  /** Clients so far: who asks is told with the events that it causes. */
  #clients = 0

  constructor(source: FlowSource) {
    this.#source = source
  }

  isCalled(name: string): boolean {
    return name === 'conntrack'
  }

  async run(_name: string, args: readonly string[], client: Conversation): Promise<number> {
    this.#clients = (this.#clients % 0x7fffffff) + 1
    try {
      return await runConntrack(
        args,
        this.#source,
        client,
        { protocolNumber, labels: () => LabelNames.read() },
        this.#clients,
      )
    } catch (error) {
      throw error instanceof Fault ? new Failure(error.status, error.stderr) : error
    }
  }
}
