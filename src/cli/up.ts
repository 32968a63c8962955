// `tunfilter up`: the gateway in the foreground.

import { Command, Option } from 'commander'

interface Options {
  readonly config: string
  readonly rules?: string
  readonly logFormat?: 'text' | 'json'
}

export function upCommand(): Command {
  return new Command('up')
    .description('run the gateway in the foreground')
    .requiredOption('--config <file>', 'devices, routes and sysctls (YAML)')
    .option('--rules <file>', 'rules in iptables-save form; without, every packet is accepted')
    .addOption(new Option('--log-format <format>', 'form of the log on standard error').choices(['text', 'json']))
    .addHelpText(
      'after',
      `
Signals:
  SIGHUP            read the rules anew; flows stay, and a file that is refused changes nothing
  SIGUSR1           print flows and counters to standard output
  SIGTERM, SIGINT   handle the packets that wait, print totals, end`,
    )
    .action(async (options: Options) => {
      const { up } = await import('../gateway/up.ts')
      process.exitCode = await up(options)
    })
}
