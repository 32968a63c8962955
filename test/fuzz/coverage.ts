// Which branches of the sources have run, as V8 counts them (block coverage through node:inspector): what a fuzzer is guided by.

import { type Profiler, Session } from 'node:inspector'

type Interval = readonly [from: number, to: number]

export class Coverage {
  readonly #session = new Session()
  /** By function: what of it has never run, in ascending order. */
  readonly #never = new Map<string, readonly Interval[]>()
  readonly #wanted: (url: string) => boolean
  /** Characters of source that have run. */
  reached = 0

  /** @param wanted whether the branches of that file count */
  constructor(wanted: (url: string) => boolean) {
    this.#wanted = wanted
    this.#session.connect()
    this.#post('Profiler.enable')
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** Whether since the last call something ran that had never run before. */
  grew(): boolean {
    const before = this.reached
    const { result } = this.#post('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType
    for (const { url, scriptId, functions } of result)
      if (this.#wanted(url)) for (const { ranges } of functions) this.#take(scriptId, ranges)
    return this.reached > before
  }

  #take(script: string, ranges: readonly Profiler.CoverageRange[]): void {
    const [whole, ...blocks] = ranges
    if (whole === undefined || whole.count === 0) return
    const key = `${script}:${whole.startOffset}:${whole.endOffset}`
    const never = this.#never.get(key) ?? [[whole.startOffset, whole.endOffset] as const]
    if (never.length === 0) return
    const idle = blocks.filter(({ count }) => count === 0).map(({ startOffset, endOffset }) => [startOffset, endOffset])
    const left = never.flatMap(([from, to]) =>
      idle
        .map(([start, end]): Interval => [Math.max(from, start!), Math.min(to, end!)])
        .filter(([start, end]) => start < end),
    )
    const size = (intervals: readonly Interval[]) => intervals.reduce((sum, [from, to]) => sum + to - from, 0)
    this.reached += size(never) - size(left)
    this.#never.set(key, left)
  }

  close(): void {
    this.#post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }

  /** The profiler answers before the call returns. */
  #post(method: string, parameters: object = {}): unknown {
    let answer: unknown
    this.#session.post(method, parameters, (error, result) => {
      if (error) throw new Error(`${method}: ${error.message}`)
      answer = result
    })
    return answer
  }
}
