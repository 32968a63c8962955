// `tunfilter bench`: what a rule set costs, in memory; no devices, no root.

import { Command, InvalidArgumentError } from 'commander'
import type { Mix } from '../cost/traffic.ts'
import { integer } from './options.ts'

interface Options {
  readonly ipv6?: boolean
  readonly against?: string
  readonly config?: string
  readonly ipset?: string
  readonly flows: number
  readonly mix: Mix
  readonly traffic?: string
  readonly seconds: number
  readonly scale?: boolean
  readonly kernel?: boolean
  readonly json?: boolean
  readonly html?: string
}

const USUAL = 'tcp=70,udp=25,icmp=5'

export function benchCommand(): Command {
  return new Command('bench')
    .description('what a rule set costs: nanoseconds a packet, hottest, dead and shadowed rules; no devices, no root')
    .argument('<rules>', 'rules in iptables-save form; - is standard input')
    .option('-4, --ipv4', 'rules for IPv4 (as without)')
    .option('-6, --ipv6', 'rules for IPv6, in ip6tables-save form, and packets of IPv6')
    .option('--against <rules>', 'a second rule set, measured beside the first with the same packets')
    .option('--config <file>', 'devices, routes and sysctls (YAML); left out, they are made of what the rules name')
    .option('--ipset <file>', 'sets that rules name, in ipset-save form')
    .option('--flows <number>', 'flows, aimed at what the rules name', integer(1, 1_000_000), 10_000)
    .option('--mix <shares>', 'protocols of the flows', mix, mix(USUAL))
    .option('--traffic <in.pcapng>', "packets of a capture instead; its interfaces' names are the devices")
    .option('--seconds <number>', 'how long each figure is measured, about', seconds, 1)
    .option('--scale', 'also the same rules 10 and 100 times, with addresses that do not match')
    .option('--kernel', 'also in the kernel, in a network namespace, with iptables-legacy and iptables-nft (root)')
    .option('--json', 'print everything as JSON')
    .option('--html <file>', 'write a page with a plot and the tables')
    .addHelpText('after', `\nWithout --mix: ${USUAL}. Example: iptables-save | tunfilter bench -`)
    .action(async (rules: string, options: Options) => {
      const { bench } = await import('../cost/bench.ts')
      const { printCost } = await import('../cost/print.ts')
      const shown = process.stderr.isTTY === true
      const progress = (doing: string, part: number) => {
        if (shown) process.stderr.write(`\r\x1b[K${doing}${part > 0 ? ` ${Math.round(part * 100)} %` : ''}`)
      }
      try {
        const report = await bench({
          ...options,
          rules,
          family: options.ipv6 === true ? 6 : 4,
          scale: options.scale === true,
          kernel: options.kernel === true,
          progress,
        })
        if (shown) process.stderr.write('\r\x1b[K')
        process.stdout.write(options.json === true ? `${JSON.stringify(report)}\n` : printCost(report))
      } catch (error) {
        if (shown) process.stderr.write('\r\x1b[K')
        throw error
      }
    })
}

/** `tcp=70,udp=25,icmp=5`; what is not named does not occur. */
function mix(text: string): Mix {
  const shares = { tcp: 0, udp: 0, icmp: 0 }
  for (const part of text.split(',')) {
    const [, name, share] = /^(tcp|udp|icmp)=(\d+)$/.exec(part) ?? []
    if (name === undefined) throw new InvalidArgumentError(`Expected shares like ${USUAL}.`)
    shares[name as keyof Mix] = Number(share)
  }
  if (shares.tcp + shares.udp + shares.icmp === 0) throw new InvalidArgumentError('Expected a share above 0.')
  return shares
}

function seconds(text: string): number {
  const value = Number(text)
  if (!/^\d*\.?\d+$/.test(text) || value > 3600) throw new InvalidArgumentError('Expected seconds, up to 3600.')
  return value
}
