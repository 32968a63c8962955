// `tunfilter iptables ...` and its kin: clients of the gateway's control socket. Their words are none of this program's; they
// go to the gateway as they are.

import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { call, type Reply } from '../control/client.ts'
import { controlPath } from '../control/path.ts'

const COMMANDS: Readonly<Record<string, string>> = {
  iptables: 'list and change the rules of the running gateway, as iptables does',
  'iptables-save': 'print its rules',
  'iptables-restore': 'load rules from standard input or a file',
  ip6tables: 'the same for IPv6',
  'ip6tables-save': 'the same for IPv6',
  'ip6tables-restore': 'the same for IPv6',
  'iptables-xml': 'print rules from standard input as XML',
  conntrack: 'list, watch and change its flows, as conntrack does',
  nfacct: 'list, make and reset its accounting objects, as nfacct does',
  ip: 'list and change its routes, policy rules and addresses, as ip does',
  ipset: 'list and change the sets of the running gateway, as ipset does',
}

/** The other names that iptables has; the gateway tells them apart. */
const VARIANTS = Object.keys(COMMANDS)
  .filter((name) => /tables(-save|-restore)?$/.test(name))
  .flatMap((name) => ['-legacy', '-nft'].map((variant) => name.replace(/^ip6?tables/, `$&${variant}`)))

export function iptablesCommands(): Command[] {
  return commandsOf(COMMANDS)
}

/** The same under names that help does not list. */
export function iptablesVariants(): Command[] {
  return commandsOf(Object.fromEntries(VARIANTS.map((name) => [name, ''])))
}

function commandsOf(names: Readonly<Record<string, string>>): Command[] {
  return Object.entries(names).map(([name, description]) =>
    new Command(name)
      .description(description)
      .argument('[words...]', `what ${name} takes`)
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (words: string[]) => {
        const reply =
          (await ownReply(name, words)) ?? (await call(controlPath(), [name, ...words], () => readFileSync(0), print))
        const { status, stdout, stderr } = reply
        process.stdout.write(stdout)
        process.stderr.write(stderr)
        process.exitCode = status
      }),
  )
}

/** As it comes: events have no end. */
function print(where: 'stdout' | 'stderr', piece: Buffer): void {
  process[where].write(Buffer.from(piece))
}

/** Help and version need no gateway. The native client calls this program for them where it reaches none. */
async function ownReply(name: string, words: readonly string[]): Promise<Reply | undefined> {
  if (!words.some((word) => ['-h', '--help', '-V', '--version'].includes(word))) return undefined
  const { applyCommand } = await import('../iptables/apply.ts')
  const { applyRestore, applySave } = await import('../iptables/apply-file.ts')
  const { readFileRequest, readRequest } = await import('../iptables/argv.ts')
  const { Failure, programOf } = await import('../iptables/program.ts')
  const program = programOf(name)
  if (program === undefined) return undefined
  const none = { family: program.family, tables: new Map() }
  try {
    if (program.kind === 'command') {
      const request = readRequest(words, none, { program })
      return request === 'version' || 'of' in request ? applyCommand(none, words, { program }) : undefined
    }
    if (typeof readFileRequest(words, program) !== 'string') return undefined
    return program.kind === 'save' ? applySave(none, words, { program }) : applyRestore(none, words, '', { program })
  } catch (failure) {
    // What is wrong with the words depends on the rules as they are: the gateway says it.
    if (failure instanceof Failure) return undefined
    throw failure
  }
}
