// Workers (`--workers N`): what threads with a queue of each device bring, and cost, beside the gateway whose one thread does all, under
// floods of one flow and of several and with TCP both ways. The bare forwarder, which has nothing to share, shows what two queues
// with a process each could bring on this machine at most. They take turns.

import { type Result, say } from '../figure.ts'
import type { Options } from '../part.ts'
import { bareGateway, DEFAULT_WAY, type Gateway, ourGateway } from './gateways.ts'
import { compilePeers, missing, withLab } from './lab.ts'
import { flood, paced, reach, stream } from './measure.ts'
import { Series } from './series.ts'

const FLOWS = [1, 2, 4, 8]
const WORKERS = [1, 2, 3]
const LENGTHS = { rounds: 0, seconds: 1, pings: 0, questions: 0, halvings: 0 }

export async function queues({ quick }: Options): Promise<Result> {
  const lacking = missing()
  if (lacking.length > 0)
    return { figures: [], targets: [], skipped: [`not run, because there is no ${lacking.join(', no ')}`] }
  await compilePeers()
  const series = new Series()
  const rounds = quick ? 1 : 3
  await withLab(async (lab) => {
    const gateways: { gateway: Gateway; processes: number }[] = []
    const add = (name: string, processes: number, open: () => Promise<Gateway>) =>
      series.take({ name }, 'set up', async () => {
        const gateway = { ...(await open()), name }
        await reach(gateway)
        gateways.push({ gateway, processes })
        return undefined
      })
    for (const [i, name] of ['one queue', 'two queues'].entries())
      await add(`bare C, ${name}`, i + 1, () => bareGateway(lab, `q${i}`, DEFAULT_WAY, i + 1))
    for (const workers of WORKERS)
      await add(`tunfilter, --workers ${workers}`, 1, () =>
        ourGateway(lab, `w${workers}`, { ...DEFAULT_WAY, more: ['--workers', String(workers)] }),
      )
    for (let i = 1; i <= rounds; i++) {
      say(`queues: round ${i} of ${rounds}`)
      for (const flows of FLOWS)
        for (const { gateway, processes } of gateways) {
          const where = `${flows} flow${flows === 1 ? '' : 's'} at once`
          await series.take(gateway, where, async () => {
            const { also, ...taken } = await flood(gateway, LENGTHS, flows)
            // The processor time is of the first process only.
            return { ...taken, where, also: processes === 1 ? also : { busyCores: also?.busyCores ?? Number.NaN } }
          })
        }
      for (const { gateway, processes } of gateways) {
        for (const back of [false, true])
          await series.take(gateway, 'TCP', async () => {
            const { also, ...taken } = await stream(gateway, LENGTHS, back)
            return { ...taken, also: processes === 1 ? also : { busyCores: also?.busyCores ?? Number.NaN } }
          })
        if (processes === 1) await series.take(gateway, 'paced', () => paced(gateway, LENGTHS))
      }
    }
  })
  return { figures: series.figures(), targets: [], skipped: series.skipped }
}
