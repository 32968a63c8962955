// Match set (xt_set): a set of the router's (ipset) has the packet's addresses, ports, devices. Conditions on counters hold for
// the member that was found; a set without counters has none that could fail.

import { type CounterTest, EQUAL, GREATER, LESS, NO, NO_TEST, NOT_EQUAL } from '../ipset/ask.ts'
import { halves } from '../ipset/member-options.ts'
import { defineMatch } from '../rule/define.ts'
import type { Negatable } from '../rule/model.ts'
import { readCounter } from '../rule/number64.ts'
import { flag, unexpected, word } from '../rule/option.ts'
import { askOf, setReference } from '../rule/set-reference.ts'

const EXPECTS_COUNTER = 'a number from 0 to 18446744073709551615'

const counter = word<bigint>(EXPECTS_COUNTER, (text) => readCounter(text) ?? unexpected(text, EXPECTS_COUNTER), String)

function counterTest(
  equal: Negatable<bigint> | undefined,
  less: bigint | undefined,
  greater: bigint | undefined,
): CounterTest {
  const value = equal?.value ?? less ?? greater
  if (value === undefined) return NO_TEST
  const [high, low] = halves(value)
  return { way: equal !== undefined ? (equal.not ? NOT_EQUAL : EQUAL) : less !== undefined ? LESS : GREATER, high, low }
}

export const set = defineMatch({
  name: 'set',
  summary: 'a set made by ipset has it',
  options: {
    'match-set': setReference()
      .alias('set')
      .negatable()
      .required()
      .help('the set, and for each part of its members whether the source or the destination is meant'),
    'return-nomatch': flag().help('members with nomatch match, and others do not'),
    'update-counters': flag().negatable().help("with !: the member's counters do not count"),
    'update-subcounters': flag().negatable().help('with !: the counters of members of a list:set do not count'),
    'packets-eq': counter.negatable().help('the member has matched so many packets'),
    'packets-lt': counter.help('fewer packets'),
    'packets-gt': counter.help('more packets'),
    'bytes-eq': counter.negatable().help('the member has matched so many bytes'),
    'bytes-lt': counter.help('fewer bytes'),
    'bytes-gt': counter.help('more bytes'),
  },
  exclusive: [
    ['packets-eq', 'packets-lt', 'packets-gt'],
    ['bytes-eq', 'bytes-lt', 'bytes-gt'],
  ],
  // That counters count is what is the case anyway, and not saved.
  normalize: (o) => ({
    ...o,
    'update-counters': o['update-counters']?.not === true ? o['update-counters'] : undefined,
    'update-subcounters': o['update-subcounters']?.not === true ? o['update-subcounters'] : undefined,
  }),
  match: (o, env, around) => {
    const { value, not } = o['match-set']
    const { slot, ask } = askOf(value, env, around)
    ask.returnNomatch = o['return-nomatch'] === true
    ask.updateCounters = o['update-counters'] === undefined
    ask.updateSubcounters = o['update-subcounters'] === undefined
    ask.packets = counterTest(o['packets-eq'], o['packets-lt'], o['packets-gt'])
    ask.bytes = counterTest(o['bytes-eq'], o['bytes-lt'], o['bytes-gt'])
    return (p) => ((slot.test(p, ask) !== NO) === not ? 0 : 1)
  },
})
