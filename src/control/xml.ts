// iptables-xml on the control socket: it reads rules and prints them as XML; the gateway's own rules have no part in it.

import { Failure } from '../iptables/program.ts'
import { xmlOf } from '../iptables/xml.ts'
import type { ControlProgram, Conversation } from './program.ts'

const USAGE = `Usage: iptables-xml [-c] [-h]
\t   [ --combine ]
\t   [ --help ]
`

export const iptablesXml: ControlProgram = {
  names: 'iptables-xml',
  isCalled: (name) => name === 'iptables-xml',
  async run(_name: string, args: readonly string[], client: Conversation): Promise<number> {
    let combine = false
    for (const word of args)
      if (word === '-c' || word === '--combine') combine = true
      else if (word === '-h' || word === '--help') {
        client.printError(USAGE)
        return 0
      } else throw new Failure(1, `iptables-xml: unknown argument '${word}'\n${USAGE}`)
    const { xml, failed } = xmlOf(await client.readInput(), combine)
    client.print(xml)
    if (failed === undefined) return 0
    client.printError(`iptables-xml: line ${failed} failed\n`)
    return 1
  },
}
