// What node --trace-gc prints, read: the heap after each garbage collection and how long it stopped everything, by isolate. An
// isolate is a thread's heap: the gateway's control side is one, its data plane another.

export interface Collection {
  readonly isolate: string
  /** Since the isolate was made. */
  readonly seconds: number
  /** What is left on the heap. */
  readonly megabytes: number
  readonly pauseMs: number
}

const LINE = /\[\d+:(0x[0-9a-f]+)\] +(\d+) ms: [\w() -]+? [\d.]+ \([\d.]+\) -> ([\d.]+) \([\d.]+\) MB, ([\d.]+) \//g

export function collectionsIn(text: string): Collection[] {
  return [...text.matchAll(LINE)].map(([, isolate, ms, megabytes, pause]) => ({
    isolate,
    seconds: Number(ms) / 1000,
    megabytes: Number(megabytes),
    pauseMs: Number(pause),
  }))
}

/** The least that was left on an isolate's heap between two times; undefined where nothing was collected. */
export function leastLeft(all: readonly Collection[], from: number, to: number): number | undefined {
  const left = all.filter(({ seconds }) => seconds >= from && seconds < to).map(({ megabytes }) => megabytes)
  return left.length === 0 ? undefined : Math.min(...left)
}
