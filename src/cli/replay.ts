// `tunfilter replay`: rules tried on a capture, without devices and on the capture's own clock.

import { Command } from 'commander'
import { TunfilterError } from '../errors.ts'
import { integer } from './options.ts'

interface Options {
  readonly config: string
  readonly rules?: string
  readonly rules6?: string
  readonly ipset?: string
  readonly seed: number
  readonly write?: string
  readonly counters?: string
  readonly conntrack?: string
  readonly log?: string
  readonly nflog?: string
  readonly interface?: string
  readonly skipUnknown?: boolean
  readonly json?: boolean
}

export function replayCommand(): Command {
  return new Command('replay')
    .description('run a capture through a configuration and a rule file; no devices, no root')
    .argument('<in.pcapng>', "capture to read, link type RAW; its interfaces' names are the configuration's devices")
    .requiredOption('--config <file>', 'devices, routes and sysctls (YAML)')
    .option('--rules <file>', 'rules in iptables-save form')
    .option('--rules6 <file>', 'rules for IPv6, in ip6tables-save form; one of the two has to be there')
    .option('--ipset <file>', 'sets that rules name, in ipset-save form')
    .option('--seed <number>', 'of the random source: the same seed gives the same ports', integer(0, 0xffffffff), 0)
    .option('--write <out.pcapng>', 'write what leaves, one interface a device')
    .option('--counters <file>', 'write rules and counters, as iptables-save -c and ip6tables-save -c do')
    .option('--conntrack <file>', 'write the flows, as conntrack -L -o extended does')
    .option('--log <file>', 'write the lines of LOG rules')
    .option('--nflog <out.pcapng>', 'write packets of NFLOG rules, one interface a group')
    .option('--interface <device>', 'the device that packets of an unnamed interface enter by (classic pcap files)')
    .option('--skip-unknown', 'pass over interfaces that no device is named after')
    .option('--json', 'print the summary as JSON')
    .addHelpText('after', '\nFor each file - is standard output, or standard input for the capture.')
    .action(async (input: string, options: Options) => {
      if (options.rules === undefined && options.rules6 === undefined)
        throw new TunfilterError('ERR_OPTIONS', 'expected --rules, --rules6 or both')
      const { replay } = await import('../gateway/replay.ts')
      const { print } = await import('../gateway/summary.ts')
      const summary = replay({ ...options, input, unnamed: options.interface })
      const { write, counters, conntrack, log, nflog } = options
      const taken = [write, counters, conntrack, log, nflog].includes('-')
      ;(taken ? process.stderr : process.stdout).write(print(summary, options.json === true))
    })
}
