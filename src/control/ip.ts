// ip on the control socket: rules, routes and addresses are the data plane's, which does a command between two rounds.

import type { IpResult } from '../route/command/run.ts'
import type { ControlProgram, Conversation } from './program.ts'

export class IpProgram implements ControlProgram {
  readonly names = 'ip'
  readonly #run: (words: readonly string[]) => Promise<IpResult>

  /** @param run has the data plane do one command */
  constructor(run: (words: readonly string[]) => Promise<IpResult>) {
    this.#run = run
  }

  isCalled(name: string): boolean {
    return name === 'ip'
  }

  async run(_name: string, args: readonly string[], client: Conversation): Promise<number> {
    const { stdout, stderr, status } = await this.#run(args)
    client.print(stdout)
    client.printError(stderr)
    return status
  }
}
