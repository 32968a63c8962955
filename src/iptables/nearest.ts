// "Did you mean": the known name that is the fewest changed letters away from what was written.

/** `; did you mean 'x'?`, or nothing where no known name is near. */
export function didYouMean(written: string, known: Iterable<string>): string {
  const wanted = written.toLowerCase()
  let best: string | undefined
  let least = Math.max(1, Math.floor(written.length / 3)) + 1
  // A long word is no slip of the pen, and comparing it with every name would take long.
  if (written.length > 40) return ''
  for (const name of known) {
    if (Math.abs(name.length - written.length) >= least) continue
    const far = distance(wanted, name.toLowerCase())
    if (far < least) {
      least = far
      best = name
    }
  }
  return best === undefined ? '' : `; did you mean '${best}'?`
}

/** Letters to insert, remove, replace, or exchange with their neighbour. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        next[j] = Math.min(next[j], before[j - 2] + 1)
    }
    before = row
    row = next
  }
  return row[b.length]
}
