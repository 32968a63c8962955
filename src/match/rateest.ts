// Match rateest (xt_rateest): compares what rate estimators of RATEEST have measured, with given rates or with each other. With
// --rateest-delta it is what is missing to a given rate that is compared, 0 where nothing is. The estimators have to be
// there, and stay for as long as a rule names them.

import { defineMatch, lastOf, NotTaken, type ValuesOf } from '../rule/define.ts'
import { parseNumber } from '../rule/number.ts'
import { flag, type Option, option, unexpected } from '../rule/option.ts'
import { RATE_ESTIMATORS, RateEstimator } from '../rule/rate-estimator.ts'
import { byteRate, estimatorName, formatByteRate, savedName } from '../rule/rate-words.ts'

const COMPARISONS = ['rateest-lt', 'rateest-gt', 'rateest-eq'] as const
const EXPECTS_PPS = 'a number from 0 to 4294967295, or nothing for 0'

function packetRate(): Option<number, false, false> {
  return option<number>({
    words: 1,
    optional: true,
    expects: EXPECTS_PPS,
    parse: ([text]) => (text === undefined ? 0 : (parseNumber(text, 0xffffffff) ?? unexpected(text, EXPECTS_PPS))),
    format: String,
  })
}

const options = {
  rateest1: estimatorName().alias('rateest').default('').help('the estimator that is looked at'),
  rateest2: estimatorName().help('the estimator that it is compared with; otherwise it is compared with given rates'),
  'rateest-delta': flag().help('not the rates are compared, but what they are below given ones'),
  'rateest-bps1': byteRate().help('with --rateest-delta: bytes of the first estimator, below this rate'),
  'rateest-bps2': byteRate().alias('rateest-bps').help('bytes are compared, with this rate'),
  'rateest-pps1': packetRate().help('with --rateest-delta: packets of the first estimator, below this rate'),
  'rateest-pps2': packetRate().alias('rateest-pps').help('packets are compared, with this rate'),
  'rateest-lt': flag().negatable().repeatable().help('less'),
  'rateest-gt': flag().negatable().repeatable().help('greater'),
  'rateest-eq': flag().negatable().repeatable().help('equal'),
}

type Values = ValuesOf<typeof options>

export const rateestMatch = defineMatch({
  name: 'rateest',
  summary: 'compares rates that RATEEST has measured; of several comparisons the last counts',
  options,
  normalize: (o) => {
    const last = lastOf(o, COMPARISONS)
    const delta = o['rateest-delta'] === true
    const bytes = o['rateest-bps1'] !== undefined || o['rateest-bps2'] !== undefined
    const packets = o['rateest-pps1'] !== undefined || o['rateest-pps2'] !== undefined
    return {
      rateest1: o.rateest1,
      rateest2: o.rateest2,
      'rateest-delta': delta || undefined,
      'rateest-bps1': bytes ? (delta ? (o['rateest-bps1'] ?? 0) : 0) : undefined,
      'rateest-bps2': bytes ? given(o, o['rateest-bps2']) : undefined,
      'rateest-pps1': packets ? (delta ? (o['rateest-pps1'] ?? 0) : 0) : undefined,
      'rateest-pps2': packets ? given(o, o['rateest-pps2']) : undefined,
      // Whichever of them it stood before, ! turns what is said in the end.
      ...(last && { [last]: { value: true as const, not: COMPARISONS.some((name) => o[name]?.not) } }),
    }
  },
  check: (o) => {
    if (lastOf(o, COMPARISONS) === undefined)
      return new NotTaken(
        'tables',
        `it is not said how to compare: expected ${COMPARISONS.map((name) => `--${name}`).join(' or ')}`,
      )
    return o['rateest-bps2'] === undefined && o['rateest-pps2'] === undefined
      ? new NotTaken('tables', 'nothing is compared: expected --rateest-bps, --rateest-pps, or both')
      : undefined
  },
  shares: ({ rateest1, rateest2 }) =>
    [rateest1, rateest2].flatMap((name) => (name === undefined ? [] : [{ kind: RATE_ESTIMATORS, name }])),
  saved,
  list,
  match: (o, { shared, time }) => {
    const estimator = (name: string) => shared.of(RATE_ESTIMATORS, name, () => new RateEstimator(time))
    const first = estimator(o.rateest1)
    const second = o.rateest2 === undefined ? undefined : estimator(o.rateest2)
    const delta = o['rateest-delta'] === true
    const { 'rateest-bps1': bytes1 = 0, 'rateest-bps2': bytes2, 'rateest-pps1': packets1 = 0 } = o
    const packets2 = o['rateest-pps2']
    const { name, not } = comparisonOf(o)
    const hit = not ? 0 : 1
    const left = (rate: number, from: number) => (delta ? Math.max(0, from - rate) : rate)
    const holds = (a: number, b: number) => (name === 'rateest-lt' ? a < b : name === 'rateest-gt' ? a > b : a === b)
    return () => {
      if (bytes2 !== undefined) {
        const other = second === undefined ? bytes2 : left(second.byteRate, bytes2)
        if (!holds(left(first.byteRate, bytes1), other)) return 1 - hit
      }
      if (packets2 !== undefined) {
        const other = second === undefined ? packets2 : left(second.packetRate, packets2)
        if (!holds(left(first.packetRate, packets1), other)) return 1 - hit
      }
      return hit
    }
  },
})

/** A rate beside another estimator says something only of differences. */
function given(o: Values, rate = 0): number {
  return o.rateest2 === undefined || o['rateest-delta'] === true ? rate : 0
}

function comparisonOf(o: Values): { readonly name: (typeof COMPARISONS)[number]; readonly not: boolean } {
  const name = lastOf(o, COMPARISONS) ?? 'rateest-lt'
  return { name, not: o[name]?.not === true }
}

/** The comparison stands with each of what is compared. */
function saved(o: Values, whole: boolean): string {
  const delta = o['rateest-delta'] === true
  const { name, not } = comparisonOf(o)
  const comparison = `${not ? ' !' : ''} --${name}`
  const beside = o.rateest2 !== undefined
  let text = delta ? ' --rateest-delta' : ''
  text += ` --rateest${beside ? '1' : ''} ${savedName(o.rateest1, whole)}`
  for (const [unit, first, second] of [
    ['bps', o['rateest-bps1'], o['rateest-bps2']],
    ['pps', o['rateest-pps1'], o['rateest-pps2']],
  ] as const) {
    if (first === undefined || second === undefined) continue
    const format = unit === 'bps' ? formatByteRate : String
    if (delta) text += ` --rateest-${unit}1 ${format(first)}${comparison} --rateest-${unit}2 ${format(second)}`
    else text += `${comparison} --rateest-${unit}${beside ? '' : ` ${format(second)}`}`
  }
  return o.rateest2 === undefined ? text : `${text} --rateest2 ${savedName(o.rateest2, whole)}`
}

function list(o: Values, numeric: boolean): string {
  const rate = (bytes: number | undefined) => (numeric || bytes === undefined ? bytes : formatByteRate(bytes))
  const delta = o['rateest-delta'] === true
  const { name, not } = comparisonOf(o)
  const comparison = `${not ? '! ' : ''}${name.slice(-2)}`
  const { 'rateest-bps1': bytes1, 'rateest-bps2': bytes2, 'rateest-pps1': packets1, 'rateest-pps2': packets2 } = o
  const words: (string | number | undefined)[] = ['rateest match', o.rateest1]
  if (delta) words.push('delta')
  const both = (bytes: number | undefined, packets: number | undefined) => {
    if (bytes !== undefined) words.push('bps', ...(delta ? [rate(bytes)] : []))
    if (packets !== undefined) words.push('pps', ...(delta ? [packets] : []))
  }
  if (o.rateest2 !== undefined) {
    both(bytes1, packets1)
    words.push(comparison, o.rateest2)
    both(bytes2, packets2)
    return words.join(' ')
  }
  if (bytes2 !== undefined) words.push('bps', ...(delta ? [rate(bytes1)] : []), rate(bytes2), comparison)
  if (packets2 !== undefined) words.push('pps', ...(delta ? [packets1] : []), comparison, packets2)
  return words.join(' ')
}
