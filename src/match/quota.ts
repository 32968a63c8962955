// Match quota (xt_quota): as many bytes as the rule has left. A packet that is longer than that uses the rest up. A rule begins
// anew when it is loaded.

import { defineMatch } from '../rule/define.ts'
import { readCounter } from '../rule/number64.ts'
import { unexpected, word } from '../rule/option.ts'

const MAX = 2n ** 64n - 1n
const EXPECTS = `a number from 0 to ${MAX}`

const quantity = word<bigint>(EXPECTS, (text) => readCounter(text) ?? unexpected(text, EXPECTS), String)

export const quota = defineMatch({
  name: 'quota',
  summary: 'so many bytes in all',
  options: { quota: quantity.negatable().required().help('bytes') },
  list: ({ quota: { value } }) => `quota: ${value} bytes`,
  match: ({ quota: { value, not } }) => {
    // What does not fit into a double exactly lasts for ever.
    let left = Number(value)
    const hit = not ? 0 : 1
    return (p) => {
      if (left < p.length) {
        left = 0
        return 1 - hit
      }
      left -= p.length
      return hit
    }
  },
})
