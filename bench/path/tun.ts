// The gateway as its users run it, through TUN devices, beside a bare C forwarder with the same I/O and the kernel's own forwarding with
// the same rules. They take turns within every round, because the machine's speed drifts by more than what is to be seen.

import { type Figure, type Result, say, type Target } from '../figure.ts'
import type { Options } from '../part.ts'
import { RULES_FILE } from './config.ts'
import { bareGateway, DEFAULT_WAY, type Gateway, kernelGateway, ourGateway, type Way } from './gateways.ts'
import { compilePeers, missing, withLab } from './lab.ts'
import * as m from './measure.ts'
import { isInPath } from './programs.ts'
import { ratioTarget, Series } from './series.ts'

/** Microseconds that a ping may take while another device is flooded. */
const BYSTANDER_WANTED = 500
const WAYS: readonly Way[] = [
  DEFAULT_WAY,
  { name: ', read', io: 'read', offload: true },
  { name: ', no offload', io: 'uring', offload: false },
]
const BUSY_POLL = ', busy poll'
const BUSY_POLL_US = 50
export const KERNEL = 'kernel'
const PRIMARY: ReadonlySet<string> = new Set(['tunfilter', 'bare C', KERNEL])
const SECONDARY_ROUNDS = 2

export async function tun({ quick }: Options): Promise<Result> {
  const lacking = missing()
  if (lacking.length > 0) return nothing(`not run, because there is no ${lacking.join(', no ')}`)
  const series = new Series()
  const tcp = isInPath('iperf3')
  if (!tcp) series.skipped.push('TCP: not run, because there is no iperf3 (Debian: apt-get install iperf3)')
  const ping = isInPath('ping')
  if (!ping) series.skipped.push('ping: not run, because there is no ping (Debian: apt-get install iputils-ping)')
  await compilePeers()
  const lengths: m.Lengths = quick
    ? { rounds: 1, seconds: 1, pings: 100, questions: 1000, halvings: 4 }
    : { rounds: 3, seconds: 1.5, pings: 150, questions: 4000, halvings: 6 }
  await withLab(async (lab) => {
    const gateways: Gateway[] = []
    const open = async (name: string, opening: () => Promise<Gateway>) =>
      series.take({ name }, 'set up', async () => {
        const gateway = await opening()
        await m.reach(gateway)
        gateways.push(gateway)
        return undefined
      })
    for (const [i, way] of (quick ? WAYS.slice(0, 1) : WAYS).entries()) {
      await open(`tunfilter${way.name}`, () => ourGateway(lab, `t${i}`, way))
      await open(`bare C${way.name}`, () => bareGateway(lab, `c${i}`, way))
    }
    // Whoever spins does so for round trips.
    const spinning = { ...DEFAULT_WAY, name: BUSY_POLL, more: ['--busy-poll', String(BUSY_POLL_US)] }
    await open(KERNEL, () => kernelGateway(lab, 'kl', KERNEL, 'iptables-legacy', RULES_FILE))
    await open(`${KERNEL}, nft`, () => kernelGateway(lab, 'kn', `${KERNEL}, nft`, 'iptables-nft', RULES_FILE))
    for (let i = 1; i <= lengths.rounds; i++) {
      for (const gateway of gateways) {
        // Those that nothing is held against are there for comparison.
        if (i > SECONDARY_ROUNDS && !PRIMARY.has(gateway.name)) continue
        say(`tun: round ${i} of ${lengths.rounds}, ${gateway.name}`)
        if (tcp) await series.take(gateway, m.TCP, () => m.stream(gateway, lengths, false))
        if (tcp) await series.take(gateway, m.TCP, () => m.stream(gateway, lengths, true))
        await series.take(gateway, m.FLOOD, () => m.flood(gateway, lengths))
        await series.take(gateway, m.FASTEST, () => m.highest(gateway, lengths))
        await series.take(gateway, m.PACED, () => m.paced(gateway, lengths))
        if (ping) await series.take(gateway, m.BYSTANDER, () => m.bystander(gateway, lengths))
        await series.take(gateway, m.ROUND_TRIP, () => m.questions(gateway, lengths))
        if (ping) await series.take(gateway, m.PING, () => m.pings(gateway, lengths))
      }
      await series.take({ name: `tunfilter${BUSY_POLL}` }, m.ROUND_TRIP, () => spun(i))
    }
    /** There while it is measured only: it takes a core from the others. */
    async function spun(round: number) {
      const gateway = await ourGateway(lab, `s${round}`, spinning)
      await m.reach(gateway)
      try {
        return await m.questions(gateway, lengths)
      } finally {
        await gateway.up.stop()
      }
    }
  })
  const figures = series.figures()
  return { figures, targets: targets(figures), skipped: series.skipped }
}

function nothing(why: string): Result {
  return { figures: [], targets: [], skipped: [why] }
}

/** What issue by issue was promised, as ratios of medians within this run. */
function targets(figures: readonly Figure[]): Target[] {
  const all: Target[] = []
  const want = (what: string, where: string, peer: string, wanted: { least?: number; most?: number; who?: string }) =>
    all.push(...ratioTarget(figures, { what, where, peer, ...wanted }))
  for (const where of [m.THERE, m.BACK]) {
    want(m.TCP, where, 'bare C', { least: 0.95 })
    want(m.TCP, where, KERNEL, { least: 0.75 })
  }
  want(m.FLOOD, m.AT_RECEIVER, 'bare C', { least: 0.9 })
  want(m.FLOOD, m.AT_RECEIVER, KERNEL, { least: 1.4 })
  want(m.FASTEST, m.AT_MOST_LOST, 'bare C', { least: 0.9 })
  want(m.FASTEST, m.AT_MOST_LOST, KERNEL, { least: 1.4 })
  want(m.PACED, m.OF_GATEWAY, 'bare C', { most: 1.2 })
  for (const where of [m.MEDIAN, m.P99]) {
    want(m.ROUND_TRIP, where, KERNEL, { most: 1.4 })
    want(m.ROUND_TRIP, where, KERNEL, { most: 1.1, who: `tunfilter${BUSY_POLL}` })
  }
  const waited = figures.find((f) => f.what === m.BYSTANDER && f.who === 'tunfilter')
  if (waited !== undefined)
    all.push({
      what: `${m.BYSTANDER}, ${m.MEDIAN}`,
      wanted: `less than ${BYSTANDER_WANTED} us, none lost`,
      got: `${waited.value} us, ${waited.also?.lost ?? 0} lost`,
      held: waited.value < BYSTANDER_WANTED && (waited.also?.lost ?? 0) === 0,
    })
  return all
}
