// What a worker for each of several queues of the devices could bring on this machine at most: the bare forwarder, which has
// nothing to share, with one queue and process and with two, under floods of one flow and of several. They take turns.

import { type Result, say } from '../figure.ts'
import type { Options } from '../part.ts'
import { bareGateway, DEFAULT_WAY, type Gateway } from './gateways.ts'
import { compilePeers, missing, withLab } from './lab.ts'
import { flood, reach } from './measure.ts'
import { Series } from './series.ts'

const FLOWS = [1, 2, 4]

export async function queues({ quick }: Options): Promise<Result> {
  const lacking = missing()
  if (lacking.length > 0)
    return { figures: [], targets: [], skipped: [`not run, because there is no ${lacking.join(', no ')}`] }
  await compilePeers()
  const series = new Series()
  const rounds = quick ? 1 : 3
  await withLab(async (lab) => {
    const gateways: Gateway[] = []
    for (const [i, name] of ['one queue', 'two queues'].entries())
      await series.take({ name }, 'set up', async () => {
        const gateway = { ...(await bareGateway(lab, `q${i}`, DEFAULT_WAY, i + 1)), name: `bare C, ${name}` }
        await reach(gateway)
        gateways.push(gateway)
        return undefined
      })
    for (let i = 1; i <= rounds; i++) {
      say(`queues: round ${i} of ${rounds}`)
      for (const flows of FLOWS)
        for (const gateway of gateways) {
          const where = `${flows} flow${flows === 1 ? '' : 's'} at once`
          await series.take(gateway, where, async () => {
            // The processor time is of the first process only.
            const { also, ...taken } = await flood(gateway, { seconds: 1 }, flows)
            return { ...taken, where, also: { busyCores: also?.busyCores ?? Number.NaN } }
          })
        }
    }
  })
  return { figures: series.figures(), targets: [], skipped: series.skipped }
}
