// One address of the rule set's family, as inet_pton reads it: what TEE and TPROXY are told to send to.

import { formatAny, parseStrict } from '../rule/address.ts'
import { type Option, Problem, unexpected, word } from '../rule/option.ts'

const EXPECTS = "an address of the rule's family, in its whole form"

/** @param any whether the address that means none may be given */
export function addressValue({ any }: { readonly any: boolean }): Option<readonly number[], false, false> {
  return word<readonly number[]>(
    EXPECTS,
    (text, { family }) => {
      const address = parseStrict(text, family)
      if (address === undefined) return unexpected(text, EXPECTS)
      if (!any && address.every((part) => part === 0))
        return new Problem(`nobody has this address: expected ${EXPECTS}`)
      return address
    },
    formatAny,
  )
}
