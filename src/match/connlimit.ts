// Match connlimit (xt_connlimit over nf_conncount): how many flows an address, or a network, has open. A rule counts by itself, from
// when it is loaded.

import { maskLength, maskWords, parseMask } from '../rule/address.ts'
import { defineMatch, HOTDROP } from '../rule/define.ts'
import { flag, u32, unexpected, word } from '../rule/option.ts'
import { OpenFlows } from './open-flows.ts'

const EXPECTS_MASK = 'a length from 0 to 32, for IPv6 to 128'
/** Of an address. */
const WORDS = { 4: 1, 6: 4 }
const count = u32().negatable()

export const connlimit = defineMatch({
  name: 'connlimit',
  summary: 'how many flows an address or a network has open',
  conntrack: true,
  options: {
    'connlimit-upto': count.help('at most so many'),
    'connlimit-above': count.help('more than so many'),
    'connlimit-mask': word(
      EXPECTS_MASK,
      (given, { family }) => {
        const read = parseMask(given, family)
        return (read === undefined ? undefined : maskLength(read)) ?? unexpected(given, EXPECTS_MASK)
      },
      String,
    ).help('addresses are taken together that agree in so many bits'),
    'connlimit-saddr': flag().help('the source address is meant; so it is without --connlimit-daddr too'),
    'connlimit-daddr': flag().help('the destination address is meant'),
  },
  exclusive: [
    ['connlimit-upto', 'connlimit-above'],
    ['connlimit-saddr', 'connlimit-daddr'],
  ],
  anyOf: ['connlimit-upto', 'connlimit-above'],
  normalize: (o, { family }) => {
    const upto = o['connlimit-upto']
    const above = o['connlimit-above']
    const value = (upto ?? above)?.value ?? 0
    const isUpto = upto === undefined ? above?.not === true : !upto.not
    return {
      ...o,
      'connlimit-upto': isUpto ? { value, not: false } : undefined,
      'connlimit-above': isUpto ? undefined : { value, not: false },
      'connlimit-mask': o['connlimit-mask'] ?? 32 * WORDS[family],
      'connlimit-saddr': o['connlimit-daddr'] ? undefined : (true as const),
    }
  },
  list: (o) => {
    const { value } = o['connlimit-upto'] ?? o['connlimit-above'] ?? { value: 0 }
    const of = `${o['connlimit-daddr'] ? 'dst' : 'src'}/${o['connlimit-mask']}`
    return `#conn ${of} ${o['connlimit-upto'] === undefined ? '>' : '<='} ${value}`
  },
  match: (o, { conntrack, time }, { family }) => {
    const upto = o['connlimit-upto']
    const limit = (upto ?? o['connlimit-above'])?.value ?? 0
    const within = upto === undefined ? 0 : 1
    const [mask, mask1 = 0, mask2 = 0, mask3 = 0] = maskWords(o['connlimit-mask'] ?? 32 * WORDS[family], family)
    const ofSource = o['connlimit-daddr'] === undefined
    const open = new OpenFlows(conntrack, time, family)
    const address = new Int32Array(4)
    return (p) => {
      address[0] = (ofSource ? p.source : p.destination) & mask
      address[1] = (ofSource ? p.source1 : p.destination1) & mask1
      address[2] = (ofSource ? p.source2 : p.destination2) & mask2
      address[3] = (ofSource ? p.source3 : p.destination3) & mask3
      const flows = open.count(p, address)
      if (flows === 0) return HOTDROP
      return flows > limit ? 1 - within : within
    }
  },
})
