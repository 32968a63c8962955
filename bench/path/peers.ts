// tunfilter beside other programs that carry packets in user space (others.ts), the kernel, and a gateway as it is written
// with Node's streams: a TCP stream both ways, a flood of small datagrams, round trips. They take turns.

import { type Result, say } from '../figure.ts'
import type { Options } from '../part.ts'
import { RULES_FILE } from './config.ts'
import { DEFAULT_WAY, type Gateway, kernelGateway, ourGateway } from './gateways.ts'
import { compilePeers, missing, withLab } from './lab.ts'
import * as m from './measure.ts'
import { lackingOf, OTHERS } from './others.ts'
import { isInPath } from './programs.ts'
import { Series } from './series.ts'

export async function peers({ quick }: Options): Promise<Result> {
  const lacking = missing()
  if (lacking.length > 0)
    return { figures: [], targets: [], skipped: [`not run, because there is no ${lacking.join(', no ')}`] }
  await compilePeers()
  const series = new Series()
  const tcp = isInPath('iperf3')
  if (!tcp) series.skipped.push('TCP: not run, because there is no iperf3 (Debian: apt-get install iperf3)')
  const lengths = quick ? { rounds: 1, seconds: 1, questions: 500 } : { rounds: 2, seconds: 1, questions: 2000 }
  await withLab(async (lab) => {
    const gateways: Gateway[] = []
    const open = (name: string, opening: () => Promise<Gateway>) =>
      series.take({ name }, 'set up', async () => {
        const gateway = await opening()
        await m.reach(gateway)
        gateways.push(gateway)
        return undefined
      })
    await open('tunfilter', () => ourGateway(lab, 't', DEFAULT_WAY))
    await open('kernel', () => kernelGateway(lab, 'k', 'kernel', 'iptables-legacy', RULES_FILE))
    for (const other of OTHERS) {
      const why = lackingOf(other)
      if (why === undefined) await open(other.name, () => other.open(lab))
      else series.skipped.push(`${other.name}: ${why}`)
    }
    for (let i = 1; i <= lengths.rounds; i++)
      for (const gateway of gateways) {
        say(`peers: round ${i} of ${lengths.rounds}, ${gateway.name}`)
        if (tcp) await series.take(gateway, m.TCP, () => m.stream(gateway, lengths, false))
        if (tcp) await series.take(gateway, m.TCP, () => m.stream(gateway, lengths, true))
        await series.take(gateway, m.FLOOD, () => m.flood(gateway, lengths))
        await series.take(gateway, m.ROUND_TRIP, () => m.questions(gateway, lengths))
      }
  })
  return { figures: series.figures(), targets: [], skipped: series.skipped }
}
