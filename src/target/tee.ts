// Target TEE (xt_TEE): sends a copy of the packet to another host (local/duplicates.ts, duplicates6.ts), and goes on. A device
// that the router does not have is no bound, as in Linux.

import { formatAny } from '../rule/address.ts'
import { CONTINUE, defineTarget } from '../rule/define.ts'
import type { Family } from '../rule/model.ts'
import { Problem, shown, word } from '../rule/option.ts'
import { addressValue } from './address-value.ts'

const NAME_MAX = 15
const EXPECTS = `a device's name of at most ${NAME_MAX} bytes`

const device = word<string>(
  EXPECTS,
  (text) =>
    text === '' || Buffer.byteLength(text) > NAME_MAX || /[\s/"'\\]/.test(text)
      ? new Problem(`${shown(text)} can be no device's name: expected ${EXPECTS}`)
      : text,
  (value) => value,
)

function tee(family: Family) {
  return defineTarget({
    name: 'TEE',
    summary: 'sends a copy to another host',
    families: [family],
    terminal: false,
    options: {
      gateway: addressValue({ any: false }).required().help('the host, which has to be on a link'),
      oif: device.help('the device by which the copy leaves'),
    },
    list: ({ gateway, oif }) => `TEE gw:${formatAny(gateway)}${oif === undefined ? '' : ` oif=${oif}`}`,
    target: ({ gateway, oif }, { local, local6, links }) => {
      const link = oif === undefined ? undefined : links.byName(oif)
      if (family === 6)
        return (p, hook) => {
          local6.duplicates.send(p, hook, gateway, link)
          return CONTINUE
        }
      return (p, hook) => {
        local.duplicates.send(p, hook, gateway[0], link)
        return CONTINUE
      }
    },
  })
}

export const tee4 = tee(4)
export const tee6 = tee(6)
