// `tunfilter check`: rule files judged without a gateway, devices or root.

import { Command } from 'commander'
import { RefusedError, TunfilterError } from '../errors.ts'
import { nameOf, readText } from '../gateway/text-file.ts'
import type { SetFamilies } from '../rule/set-reference.ts'
import { printError } from './error.ts'

interface Options {
  readonly print?: boolean
  readonly ipv6?: boolean
  readonly ipset?: string
}

export function checkCommand(): Command {
  return new Command('check')
    .description('judge rule files: every mistake of each, without a gateway and without root')
    .argument('<file...>', 'rules in iptables-save form; - is standard input')
    .option('-4, --ipv4', 'rules for IPv4 (as without)')
    .option('-6, --ipv6', 'rules for IPv6')
    .option(
      '--ipset <file>',
      'the sets that there are, in ipset-save form: rules may name no others, and it is judged too',
    )
    .option('--print', 'print what is right as iptables-save would')
    .addHelpText('after', '\nExit status 1 when a file is refused.')
    .action(async (files: string[], options: Options) => {
      const { parseRestore } = await import('../iptables/restore.ts')
      const { save } = await import('../iptables/save.ts')
      const family = options.ipv6 ? 6 : 4
      const sets = options.ipset === undefined ? undefined : await readSets(options.ipset)
      for (const file of files) {
        try {
          const ruleSet = parseRestore(readText(file), { file: nameOf(file), family, sets })
          if (options.print) process.stdout.write(save(ruleSet))
        } catch (error) {
          if (!(error instanceof RefusedError) && !(error instanceof TunfilterError)) throw error
          printError(error)
          process.exitCode = 1
        }
      }
    })
}

/** Undefined where the file is refused: then any set may be named. */
async function readSets(file: string): Promise<SetFamilies | undefined> {
  const { loadSets, storeToJudge } = await import('../ipset/load.ts')
  const { protocolName, protocolNumber, servicePort } = await import('../rule/names.ts')
  const store = storeToJudge({ protocolName, protocolNumber, servicePort })
  try {
    loadSets(store, readText(file), nameOf(file))
    return store
  } catch (error) {
    if (!(error instanceof TunfilterError)) throw error
    printError(error)
    process.exitCode = 1
    return undefined
  }
}
