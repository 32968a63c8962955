// Without fingerprints Linux knows no operating system: the rule never matches, and with --log it says so of each SYN. The text is
// the kernel's, in one record of two lines; the log of a rig finds its own lines by a LOG rule's prefix, which these have not.

import { expect, test } from 'vitest'
import { Router } from '../engine/router.ts'

const router = (options: string) => new Router(`*filter\n-A FORWARD -p tcp -m osf --genre ${options} -j DROP\nCOMMIT\n`)

test('a SYN is told of with --log, and passes', () => {
  const r = router('Linux --log 0')
  r.send('lan', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 S seq 1', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 . seq 2 ack 1')
  expect(r.log).toEqual([
    'Remote OS is not known: 10.0.1.2:1000 -> 203.0.113.9:80\nIN=lan OUT=wan MAC= SRC=10.0.1.2 DST=203.0.113.9 LEN=40 TOS=0x00 PREC=0x00 TTL=63 ID=0 PROTO=TCP SPT=1000 DPT=80 SEQ=1 ACK=0 WINDOW=65535 RES=0x00 SYN URGP=0 ',
  ])
})

test('without --log nothing is said, and a negated name does not match either', () => {
  const r = router('Linux')
  expect(r.send('lan', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 S seq 1')).toHaveLength(1)
  expect(r.log).toEqual([])
})
