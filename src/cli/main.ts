#!/usr/bin/env node
// The command `tunfilter`. One file a subcommand. Exit status: 0 done, 1 refused or failed, 2 wrong usage. Errors go to
// standard error, one line each: `tunfilter: file:line:column: message`.

import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { benchCommand } from './bench.ts'
import { checkCommand } from './check.ts'
import { printError } from './error.ts'
import { iptablesCommands, iptablesVariants } from './iptables.ts'
import { linkCommand } from './link.ts'
import { replayCommand } from './replay.ts'
import { upCommand } from './up.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const program = new Command('tunfilter')
  .description('Linux netfilter in userspace: hooks, conntrack, NAT and iptables rules over TUN devices')
  .version(`tunfilter ${version}`, '-V, --version', 'print the version')
  .helpOption('-h, --help', 'print this help')
  .helpCommand('help [command]', 'print the help of a command')
  .configureHelp({ showGlobalOptions: false })
  .enablePositionalOptions()

for (const command of [
  upCommand(),
  replayCommand(),
  checkCommand(),
  benchCommand(),
  linkCommand(),
  ...iptablesCommands(),
])
  program.addCommand(command)
for (const command of iptablesVariants()) program.addCommand(command, { hidden: true })

for (const command of [program, ...program.commands]) {
  command.exitOverride()
  command.configureOutput({ outputError: (text) => printError(text.trimEnd().replace(/^error: /, '')) })
  command.showHelpAfterError(`(see ${command === program ? 'tunfilter' : `tunfilter ${command.name()}`} --help)`)
}

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Help that was asked for is no error.
    process.exitCode = error.exitCode === 0 ? 0 : 2
  } else {
    printError(error)
    process.exitCode = 1
  }
}
