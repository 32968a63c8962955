// Match quota (xt_quota): as many bytes as the rule has left. A packet that is longer than that uses the rest up. A rule begins
// anew when it is loaded.

import { defineMatch } from '../rule/define.ts'
import { unexpected, word } from '../rule/option.ts'

const MAX = 2n ** 64n - 1n
const EXPECTS = `a number from 0 to ${MAX}`

const quantity = word<bigint>(
  EXPECTS,
  (text) => {
    const found = /^\s*\+?(0x[0-9a-f]+|[0-9]+)$/i.exec(text)
    if (found === null) return unexpected(text, EXPECTS)
    const octal = /^0[0-7]+$/.test(found[1])
    if (!octal && /^0[0-9]/.test(found[1])) return unexpected(text, EXPECTS)
    const value = BigInt(octal ? `0o${found[1].slice(1)}` : found[1])
    return value <= MAX ? value : unexpected(text, EXPECTS)
  },
  String,
)

export const quota = defineMatch({
  name: 'quota',
  summary: 'so many bytes in all',
  options: { quota: quantity.negatable().required().help('bytes') },
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
