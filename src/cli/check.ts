// `tunfilter check`: rule files judged without a gateway, devices or root.

import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { RefusedError, TunfilterError } from '../errors.ts'
import { printError } from './error.ts'

interface Options {
  readonly print?: boolean
  readonly ipv6?: boolean
}

export function checkCommand(): Command {
  return new Command('check')
    .description('judge rule files: every mistake of each, without a gateway and without root')
    .argument('<file...>', 'rules in iptables-save form; - is standard input')
    .option('-4, --ipv4', 'rules for IPv4 (as without)')
    .option('-6, --ipv6', 'rules for IPv6')
    .option('--print', 'print what is right as iptables-save would')
    .addHelpText('after', '\nExit status 1 when a file is refused.')
    .action(async (files: string[], options: Options) => {
      const { parseRestore } = await import('../iptables/restore.ts')
      const { save } = await import('../iptables/save.ts')
      const family = options.ipv6 ? 6 : 4
      for (const file of files) {
        try {
          const ruleSet = parseRestore(readRules(file), { file: file === '-' ? 'standard input' : file, family })
          if (options.print) process.stdout.write(save(ruleSet))
        } catch (error) {
          if (!(error instanceof RefusedError) && !(error instanceof TunfilterError)) throw error
          printError(error)
          process.exitCode = 1
        }
      }
    })
}

function readRules(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (cause) {
    throw new TunfilterError('ERR_RULE_FILE', `${file}: ${(cause as Error).message}`, { cause })
  }
}
