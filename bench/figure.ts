// What every part of the benchmark hands back, and the little statistics there is. One figure is one line of a table.

/** One measured quantity: the median of several rounds, and how far apart they were. */
export interface Figure {
  /** What was measured: `64-byte UDP`, `flow look-up`, ... */
  readonly what: string
  /** Under which circumstances: `10000 flows`, `client to server`, ... */
  readonly where: string
  /** Who did it, where several are compared: `tunfilter`, `kernel`. */
  readonly who?: string
  readonly unit: string
  readonly value: number
  /** Lowest and highest round. */
  readonly low: number
  readonly high: number
  readonly rounds: number
  /** The number that it is drawn against in a plot: rules, flows. */
  readonly at?: number
  /** How it is distributed: shares of 1, and the value that so many do not exceed. */
  readonly quantiles?: readonly Quantile[]
  /** Anything else worth keeping: processor time, counters. */
  readonly also?: Readonly<Record<string, number>>
}

export type Quantile = readonly [share: number, value: number]

/** Something that the project promises, and whether it held in this run. */
export interface Target {
  readonly what: string
  readonly wanted: string
  readonly got: string
  readonly held: boolean
}

export interface Result {
  readonly figures: readonly Figure[]
  readonly targets: readonly Target[]
  /** What could not be measured, and why. */
  readonly skipped: readonly string[]
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The q-quantile, between neighbours by linear interpolation; NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const low = sorted[Math.floor(at)]
  return low + (sorted[Math.ceil(at)] - low) * (at - Math.floor(at))
}

/** A figure of the rounds' values. */
export function figure(
  what: string,
  where: string,
  unit: string,
  values: readonly number[],
  rest: Pick<Figure, 'who' | 'at' | 'quantiles' | 'also'> = {},
): Figure {
  return {
    what,
    where,
    ...rest,
    unit,
    value: round(median(values)),
    low: round(Math.min(...values)),
    high: round(Math.max(...values)),
    rounds: values.length,
  }
}

/** Four significant digits: more would claim a precision that is not there. */
export function round(value: number): number {
  return Number(value.toPrecision(4))
}

/** A line of progress, on standard error: results go to files. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
