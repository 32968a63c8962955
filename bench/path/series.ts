// What was taken of several gateways in several rounds, made into figures.

import { type Figure, figure, median, type Quantile, round, say, type Target } from '../figure.ts'
import type { Gateway } from './gateways.ts'

/** One value of one round, and what it cost. */
export interface Taken {
  readonly what: string
  readonly where: string
  readonly unit: string
  readonly value: number
  readonly quantiles?: readonly Quantile[]
  readonly also?: Readonly<Record<string, number>>
}

interface Line extends Pick<Taken, 'what' | 'where' | 'unit'> {
  readonly who: string
  readonly values: number[]
  readonly quantiles: (readonly Quantile[])[]
  readonly also: Record<string, number[]>
}

export class Series {
  readonly #lines = new Map<string, Line>()
  readonly skipped: string[] = []
  readonly #at: ((who: string, where: string) => number | undefined) | undefined

  /** @param at what a figure is drawn against in a plot */
  constructor(at?: (who: string, where: string) => number | undefined) {
    this.#at = at
  }

  note({ name: who }: Pick<Gateway, 'name'>, { what, where, unit, value, quantiles, also = {} }: Taken): void {
    const key = `${what} ${where} ${who}`
    const line = this.#lines.get(key) ?? { what, where, unit, who, values: [], quantiles: [], also: {} }
    this.#lines.set(key, line)
    line.values.push(value)
    if (quantiles !== undefined) line.quantiles.push(quantiles)
    for (const [name, each] of Object.entries(also)) {
      line.also[name] ??= []
      line.also[name].push(each)
    }
    say(`  ${who}: ${what}, ${where}: ${round(value)} ${unit}`)
  }

  /** Notes what is taken; what fails is said, kept as skipped, and stops nobody. */
  async take(
    gateway: Pick<Gateway, 'name'>,
    what: string,
    taking: () => Promise<Taken | readonly Taken[] | undefined>,
  ) {
    try {
      const taken = await taking()
      if (taken !== undefined) for (const one of 'what' in taken ? [taken] : taken) this.note(gateway, one)
    } catch (error) {
      const why = `${gateway.name}, ${what}: ${(error as Error).message.trim()}`
      say(`  ${why}`)
      if (!this.skipped.includes(why)) this.skipped.push(why)
    }
  }

  figures(): Figure[] {
    return [...this.#lines.values()].map(({ what, where, unit, who, values, quantiles, also: each }) => {
      const also = Object.fromEntries(Object.entries(each).map(([name, of]) => [name, round(median(of))]))
      const shares = quantiles[0]?.map(
        ([share], i): Quantile => [share, round(median(quantiles.map((of) => of[i][1])))],
      )
      return figure(what, where, unit, values, { who, at: this.#at?.(who, where), quantiles: shares, also })
    })
  }
}

/** What is promised as a ratio of two gateways' medians; nothing where one of them was not measured. */
export function ratioTarget(
  figures: readonly Figure[],
  { what, where, who = 'tunfilter', peer, least, most }: RatioWanted,
): Target[] {
  const of = (name: string) => figures.find((f) => f.what === what && f.where === where && f.who === name)?.value
  const [ours, theirs] = [of(who), of(peer)]
  // Of nothing there is no share: somebody else had the machine.
  if (ours === undefined || theirs === undefined || theirs === 0) return []
  const ratio = round(ours / theirs)
  const own = who === 'tunfilter' ? '' : `, ${who}`
  return [
    {
      what: `${what}, ${where}${own}`,
      wanted: least === undefined ? `at most ${most} of ${peer}` : `at least ${least} of ${peer}`,
      got: `${ratio}`,
      held: least === undefined ? ratio <= (most ?? 0) : ratio >= least,
    },
  ]
}

export interface RatioWanted {
  readonly what: string
  readonly where: string
  readonly who?: string
  readonly peer: string
  readonly least?: number
  readonly most?: number
}
