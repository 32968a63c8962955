// Match hbh (ip6t_hbh): the hop-by-hop options header.

import { defineMatch } from '../rule/define.ts'
import { u32 } from '../rule/option.ts'
import { HOP_BY_HOP } from '../wire/ipv6-extension.ts'
import { listOptions, optionList, optionsMatch } from './options-header.ts'

export const hbh = defineMatch({
  name: 'hbh',
  summary: 'the header of hop-by-hop options',
  families: [6],
  options: {
    'hbh-len': u32().negatable().help('the header has so many bytes'),
    'hbh-opts': optionList.help('it begins with these options'),
  },
  list: (o) => listOptions('hbh', o['hbh-len'], o['hbh-opts']),
  looks: 'packet',
  match: (o) => optionsMatch(HOP_BY_HOP, o['hbh-len'], o['hbh-opts']),
})
