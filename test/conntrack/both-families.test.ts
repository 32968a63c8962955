// What both families' flows share: the bound, and what is counted.

import { describe, expect, it } from 'vitest'
import { Router } from '../engine/router.ts'

const CONFIG = {
  devices: {
    lan: { addresses: ['10.0.1.1/24', 'fd00:1::1/64'] },
    wan: { addresses: ['203.0.113.1/24', '2001:db8:1::1/64'] },
  },
}
const RULES = '*filter\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n'

function router(max: number): Router {
  const made = new Router(RULES, { config: CONFIG, sysctl: { 'net.netfilter.nf_conntrack_max': max } })
  made.engine.load(RULES, { family: 6 })
  return made
}

const four = (port: number) => `udp 10.0.1.2:${port} > 203.0.113.9:53 len 1`
const six = (port: number) => `udp [fd00:1::2]:${port} > [2001:db8:1::9]:53 len 1`

describe('flows of both families', () => {
  it('count against one bound: the one that finds it reached takes the place of one that is not assured', () => {
    const both = router(4)
    for (let port = 1; port <= 4; port++) expect(both.send('lan', four(port))).toHaveLength(1)
    expect(both.send('lan', six(1))).toHaveLength(1)
    expect(both.engine.counters().conntrack).toMatchObject({ count: 4, early_drop: 1, insert: 5 })
    expect([both.engine.conntrack.flows.count, both.engine.conntrack6.flows.count]).toEqual([3, 1])
  })

  it('leave no room for a new one of either where all are assured', () => {
    const both = router(2)
    for (const [client, server] of [
      ['10.0.1.2:1', '203.0.113.9:80'],
      ['[fd00:1::2]:1', '[2001:db8:1::9]:80'],
    ]) {
      both.send('lan', `tcp ${client} > ${server} S seq 1`)
      both.send('wan', `tcp ${server} > ${client} S. seq 1 ack 2`)
      both.send('lan', `tcp ${client} > ${server} . seq 2 ack 2`)
    }
    for (const line of [four(2), six(2)]) expect(both.send('lan', line)).toEqual([])
    expect(both.dropped()).toEqual({ conntrack: 2 })
    expect(both.notices.join()).toContain('flow table full')
  })
})
