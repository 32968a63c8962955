// `tunfilter iptables ...` and its kin: clients of the gateway's control socket. Their words are none of this program's; they
// go to the gateway as they are.

import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { call } from '../control/client.ts'
import { controlPath } from '../control/path.ts'

const COMMANDS: Readonly<Record<string, string>> = {
  iptables: 'list and change the rules of the running gateway, as iptables does',
  'iptables-save': 'print its rules',
  'iptables-restore': 'load rules from standard input or a file',
  ip6tables: 'the same for IPv6',
  'ip6tables-save': 'the same for IPv6',
  'ip6tables-restore': 'the same for IPv6',
  ipset: 'list and change the sets of the running gateway, as ipset does',
}

export function iptablesCommands(): Command[] {
  return Object.entries(COMMANDS).map(([name, description]) =>
    new Command(name)
      .description(description)
      .argument('[words...]', `what ${name} takes`)
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (words: string[]) => {
        const { status, stdout, stderr } = await call(controlPath(), [name, ...words], () => readFileSync(0))
        process.stdout.write(stdout)
        process.stderr.write(stderr)
        process.exitCode = status
      }),
  )
}
