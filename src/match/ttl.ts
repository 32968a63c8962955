// Match ttl (ipt_ttl): the time to live as it is in the packet; FORWARD and what follows see it decremented.

import { defineMatch, type MatchFunction } from '../rule/define.ts'
import type { Negatable } from '../rule/model.ts'
import { u8 } from '../rule/option.ts'
import { TTL } from '../wire/ipv4.ts'

export const ttl = defineMatch({
  name: 'ttl',
  summary: 'the time to live',
  families: [4],
  options: {
    'ttl-eq': u8().negatable().alias('ttl').help('just this'),
    'ttl-lt': u8().help('less than this'),
    'ttl-gt': u8().help('more than this'),
  },
  exclusive: [['ttl-eq', 'ttl-lt', 'ttl-gt']],
  anyOf: ['ttl-eq', 'ttl-lt', 'ttl-gt'],
  list: (o) => listByte('TTL', o['ttl-eq'], o['ttl-lt'], o['ttl-gt']),
  looks: 'packet',
  match: (o) => byteMatch(TTL, o['ttl-eq'], o['ttl-lt'], o['ttl-gt']),
})

/** A byte of the header, `at` from its beginning: one value, or between two that are not meant. */
export function byteMatch(at: number, equal: Negatable<number> | undefined, below = 256, above = -1): MatchFunction {
  if (equal !== undefined) {
    const { value, not } = equal
    return (p) => ((p.view.getUint8(p.start + at) === value) === not ? 0 : 1)
  }
  return (p) => {
    const found = p.view.getUint8(p.start + at)
    return found < below && found > above ? 1 : 0
  }
}

/** `TTL match TTL == 5`, as listings show it. */
export function listByte(name: string, equal: Negatable<number> | undefined, below?: number, above?: number): string {
  const how =
    equal !== undefined
      ? `${equal.not ? '!=' : '=='} ${equal.value}`
      : below !== undefined
        ? `< ${below}`
        : `> ${above}`
  return `${name} match ${name} ${how}`
}
