// Target CLASSIFY (xt_CLASSIFY): gives the packet a priority, which is the class of a queueing discipline. Devices here have none, so
// nothing changes on the wire; whoever takes packets from a queue (NFQUEUE) sees it.

import { CONTINUE, defineTarget } from '../rule/define.ts'
import { unexpected, word } from '../rule/option.ts'

const EXPECTS = 'a class MAJOR:MINOR, both hexadecimal numbers of at most four digits'

const classId = word<number>(
  EXPECTS,
  (text) => {
    const found = /^\s*(?:0x)?([0-9a-f]{1,4}):(?:0x)?([0-9a-f]{1,4})$/i.exec(text)
    if (found === null) return unexpected(text, EXPECTS)
    return (Number.parseInt(found[1], 16) << 16) | Number.parseInt(found[2], 16)
  },
  (value) => `${hex4(value >>> 16)}:${hex4(value & 0xffff)}`,
)

const hex4 = (value: number) => value.toString(16).padStart(4, '0')

export const classify = defineTarget({
  name: 'CLASSIFY',
  summary: "sets the packet's priority, which names a class of a queueing discipline",
  hooks: ['FORWARD', 'OUTPUT', 'POSTROUTING'],
  terminal: false,
  options: { 'set-class': classId.required().help('to this class') },
  list: (o) => `CLASSIFY set ${(o['set-class'] >>> 16).toString(16)}:${(o['set-class'] & 0xffff).toString(16)}`,
  target: ({ 'set-class': priority }) => {
    return (p) => {
      p.priority = priority
      return CONTINUE
    }
  },
})
