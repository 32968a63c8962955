// `tunfilter up`: the gateway in the foreground.

import { Command, InvalidArgumentError, Option } from 'commander'
import { controlPath } from '../control/path.ts'
import { TunfilterError } from '../errors.ts'
import { WORKERS_MAX } from '../gateway/workers-max.ts'

interface Options {
  readonly config: string
  readonly rules?: string
  readonly rules6?: string
  readonly logFormat?: 'text' | 'json'
  readonly control?: string | true
  readonly state?: string
  readonly ipset?: string
  readonly nflog?: string
  readonly io?: 'auto' | 'uring' | 'read'
  readonly workers?: number
  readonly busyPoll?: number
}

export function upCommand(): Command {
  return new Command('up')
    .description('run the gateway in the foreground')
    .requiredOption('--config <file>', 'devices, routes and sysctls (YAML)')
    .option('--rules <file>', 'rules in iptables-save form; without, every packet is accepted')
    .option('--rules6 <file>', 'the same for IPv6, in ip6tables-save form')
    .option('--ipset <file>', 'sets that rules name, in ipset-save form')
    .option('--control [path]', 'listen for commands (tunfilter iptables, ipset, ...) on this Unix socket')
    .option('--state <file>', 'keep rules and sets there when they are changed, and begin with what is there')
    .option('--nflog <out.pcapng>', 'write packets of NFLOG rules, one interface a group')
    .addOption(
      new Option('--io <way>', 'how packets come and go: io_uring where the kernel has it, or one of them')
        .choices(['auto', 'uring', 'read'])
        .default('auto'),
    )
    .option(
      '--workers <n>',
      "threads that read and write packets, each its queue of every device; the configuration's, or 1",
      workers,
    )
    .option(
      '--busy-poll <us>',
      'look for packets for so many microseconds before sleeping: shorter delays for processor time',
      microseconds,
    )
    .addOption(new Option('--log-format <format>', 'form of the log on standard error').choices(['text', 'json']))
    .addHelpText(
      'after',
      `
Signals:
  SIGHUP            read the rules of both families anew; flows stay, and a file that is refused changes nothing
  SIGUSR1           print flows, rules and counters of both families to standard output
  SIGTERM, SIGINT   handle the packets that wait, print totals, end`,
    )
    .action(async (options: Options) => {
      const { up } = await import('../gateway/up.ts')
      if (options.state !== undefined && options.control === undefined)
        throw new TunfilterError('ERR_OPTIONS', '--state needs --control: without commands the rules never change')
      const control = options.control === true ? controlPath() : options.control
      process.exitCode = await up({ ...options, control })
    })
}

function workers(text: string): number {
  if (/^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= WORKERS_MAX) return Number(text)
  throw new InvalidArgumentError(`Expected 1 to ${WORKERS_MAX} threads.`)
}

function microseconds(text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected microseconds from 0 to 9999999.')
}
