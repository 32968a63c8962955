// Who is measured takes turns, round by round, so that whatever else the machine does meets all of them.

import { setImmediate } from 'node:timers/promises'
import type { Arrival } from './establish.ts'
import { opening } from './packets.ts'
import type { Flow } from './traffic.ts'

/** Packets of a router that are run through it: tunfilter's (lane.ts), or the kernel (kernel.ts). */
export interface Runner {
  /** Makes every flow, one packet after the other, and gives the packets that follow in them. */
  establish(flows: readonly Flow[]): readonly Arrival[]
  /** Lets packets through one after the other. */
  play(arrivals: readonly Arrival[]): void
  /** Has these packets ready for run(). */
  prepare(arrivals: readonly Arrival[]): void
  /** Runs what is prepared through, so many times at most. */
  run(times: number): Ran
  /** Lets go of all flows; false where that cannot be done. */
  clear(): boolean
  close(): void
}

export interface Ran {
  readonly nanoseconds: number
  readonly packets: number
}

export type Traffic =
  | { readonly kind: 'flows'; readonly flows: readonly Flow[] }
  /** A capture's packets in their order: through an empty flow table, then again. */
  | { readonly kind: 'capture'; readonly packets: readonly Arrival[] }

/** Nanoseconds a packet: the median of the rounds, the least and the most. */
export interface Timing {
  readonly median: number
  readonly low: number
  readonly high: number
  readonly rounds: number
}

export interface Timings {
  readonly rules: number
  /** Undefined where flows cannot be let go of: then nothing is new for long. */
  readonly new: Timing | undefined
  /** Undefined when no flow was established. */
  readonly established: Timing | undefined
}

/** A runner, and what was measured of it. */
export interface Variant {
  readonly runner: Runner
  readonly rules: number
  /** The first time, packets that follow in flows. */
  readonly established: number
  readonly new: number[]
  readonly again: number[]
}

export interface RoundsOptions {
  readonly traffic: Traffic
  /** How long each figure is measured, about; at least ROUNDS_LEAST rounds. */
  readonly seconds: number
  /** Told what is being done, and how much of it, of 1. */
  readonly progress: (doing: string, part: number) => void
}

const ROUNDS_LEAST = 5
/** Rounds that are run before those that count. */
export const WARM_UP = 3
/** Packets that a round should have, so that its time can be told. */
export const ROUND_PACKETS = 20_000

export function variantOf(runner: Runner, rules: number, traffic: Traffic): Variant {
  return { runner, rules, established: firstTime(runner, traffic).length, new: [], again: [] }
}

/** Every packet once, one after the other; gives those of established flows. */
export function firstTime(runner: Runner, traffic: Traffic): readonly Arrival[] {
  if (traffic.kind === 'flows') return runner.establish(traffic.flows)
  runner.play(traffic.packets)
  return traffic.packets
}

/** New flows first, each time into an empty table; then flows are made once more, and their packets run. */
export async function measure(variants: readonly Variant[], options: RoundsOptions): Promise<void> {
  const { traffic } = options
  const openings =
    traffic.kind === 'flows'
      ? traffic.flows.map((flow) => ({ device: flow.device, bytes: opening(flow) }))
      : traffic.packets
  const forgetful = variants.filter(({ runner }) => runner.clear())
  for (const { runner } of forgetful) runner.prepare(openings)
  await takeTurns(forgetful, openings.length, options, 'new flows', (variant, passes) => {
    const sum = { nanoseconds: 0, packets: 0 }
    for (let pass = 0; pass < passes; pass++) {
      const { nanoseconds, packets } = variant.runner.run(1)
      variant.runner.clear()
      sum.nanoseconds += nanoseconds
      sum.packets += packets
    }
    if (sum.packets > 0) variant.new.push(sum.nanoseconds / sum.packets)
    return sum.nanoseconds
  })
  let most = 0
  const again = variants.filter(({ runner }) => {
    const following = firstTime(runner, traffic)
    most = Math.max(most, following.length)
    runner.prepare(following)
    return following.length > 0
  })
  await takeTurns(again, most, options, 'established flows', (variant, passes) => {
    const { nanoseconds, packets } = variant.runner.run(passes)
    if (packets > 0) variant.again.push(nanoseconds / packets)
    return nanoseconds
  })
  // What ran first ran cold.
  for (const { new: fresh, again: known } of variants) for (const costs of [fresh, known]) costs.splice(0, WARM_UP)
}

/** @param turn runs so many passes; gives the nanoseconds that they took */
async function takeTurns(
  variants: readonly Variant[],
  packets: number,
  { seconds, progress }: RoundsOptions,
  doing: string,
  turn: (variant: Variant, passes: number) => number,
): Promise<void> {
  if (variants.length === 0 || packets === 0) return
  const passes = Math.max(Math.ceil(ROUND_PACKETS / packets), 1)
  const share = seconds * 1e9 * variants.length
  let spent = 0
  for (let round = -WARM_UP; round < ROUNDS_LEAST || spent < share; round++) {
    progress(doing, Math.min(Math.max(spent / share || 0, Math.max(round, 0) / ROUNDS_LEAST / 2), 1))
    await setImmediate()
    for (const variant of variants) {
      const nanoseconds = turn(variant, passes)
      if (round >= 0) spent += nanoseconds
    }
  }
}

export function timingsOf({ rules, new: fresh, again }: Variant): Timings {
  return { rules, new: timing(fresh), established: timing(again) }
}

function timing(costs: readonly number[]): Timing | undefined {
  if (costs.length === 0) return undefined
  const sorted = [...costs].sort((a, b) => a - b)
  const round = (value: number) => Math.round(value * 10) / 10
  return {
    median: round(sorted[sorted.length >> 1]),
    low: round(sorted[0]),
    high: round(sorted[sorted.length - 1]),
    rounds: sorted.length,
  }
}
