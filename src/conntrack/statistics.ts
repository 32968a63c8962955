// What conntrack counts, by place in `Conntrack.stats`, with the names of `conntrack -S` (`conntrack -S expect`).

export const STATS = [
  ...['found', 'invalid', 'insert', 'insert_failed', 'drop', 'early_drop', 'error', 'expired'],
  ...['expect_new', 'expect_create', 'expect_delete'],
  'clash_resolve',
] as const

export const STAT_INVALID = 1
export const INSERT = 2
export const INSERT_FAILED = 3
export const STAT_DROP = 4
export const EARLY_DROP = 5
export const ERROR = 6
export const EXPIRED = 7
/** A flow came that was expected. */
export const EXPECT_NEW = 8
export const EXPECT_CREATE = 9
export const EXPECT_DELETE = 10
/** A packet lost a race for its flow, and was let pass. */
export const CLASH_RESOLVE = 11

/** What one family's conntrack, or both, counted, by name, with the number of flows there are. */
export function countersOf({
  total,
  stats,
}: {
  readonly total: number
  readonly stats: Float64Array
}): Record<string, number> {
  return { count: total, ...Object.fromEntries(STATS.map((name, i) => [name, stats[i]])) }
}
