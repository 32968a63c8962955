// Match dst (ip6t_hbh's second half): the destination options header.

import { defineMatch } from '../rule/define.ts'
import { u32 } from '../rule/option.ts'
import { DESTINATION_OPTIONS } from '../wire/ipv6-extension.ts'
import { listOptions, optionList, optionsMatch } from './options-header.ts'

export const dst = defineMatch({
  name: 'dst',
  summary: 'the header of destination options',
  families: [6],
  options: {
    'dst-len': u32().negatable().help('the header has so many bytes'),
    'dst-opts': optionList.help('it begins with these options'),
  },
  list: (o) => listOptions('dst', o['dst-len'], o['dst-opts']),
  looks: 'packet',
  match: (o) => optionsMatch(DESTINATION_OPTIONS, o['dst-len'], o['dst-opts']),
})
