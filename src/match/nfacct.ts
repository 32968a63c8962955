// Match nfacct (xt_nfacct): counts packet and bytes into an accounting object, which has to be there (nfacct add, or the
// configuration's `accounting`). It matches every packet; with a quota those that come when more than that has been counted, the
// packet itself included.

import { TunfilterError } from '../errors.ts'
import { ACCOUNTING, type Account, NAME_MAX } from '../nfacct/accounts.ts'
import { defineMatch } from '../rule/define.ts'
import { Problem, shown, word } from '../rule/option.ts'

const EXPECTS = `an object's name, without blanks and quotes, of which ${NAME_MAX} bytes count`

const name = word<string>(
  EXPECTS,
  (text) =>
    text === '' || /[\s"'\\]/.test(text)
      ? new Problem(`${shown(text)} can be no name here: expected ${EXPECTS}`)
      : Buffer.from(text).toString('utf8', 0, NAME_MAX),
  (value) => value,
)

export const nfacct = defineMatch({
  name: 'nfacct',
  summary: 'counts into an accounting object; with a quota it matches once that is exceeded',
  options: { 'nfacct-name': name.required().help('the object') },
  // Two blanks, as the real tools have them.
  saved: (o) => ` --nfacct-name  ${o['nfacct-name']}`,
  list: (o) => `nfacct-name  ${o['nfacct-name']}`,
  shares: (o) => [{ kind: ACCOUNTING, name: o['nfacct-name'], isGiven: true }],
  match: (o, { shared }) => {
    const none = () => {
      throw new TunfilterError('ERR_RULES', 'No chain/target/match by that name.')
    }
    const account = shared.of<Account>(ACCOUNTING, o['nfacct-name'], none)
    const always = account.quota === undefined ? 1 : 0
    return (p) => {
      account.count(p.length)
      return always === 1 || account.isOver ? 1 : 0
    }
  },
})
