// Rule sets as distributions, firewall programs and container platforms write them (rule-sets/NAME.v4 and NAME.v6) are saved here as the real
// tools save them.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parseRestore } from '../../src/iptables/restore.ts'
import { save } from '../../src/iptables/save.ts'
import { needsIpset } from '../ipset/real-ipset.ts'
import { judge, tablesOf } from './real-tools.ts'

const folder = fileURLToPath(new URL('rule-sets/', import.meta.url))

/** The sets that they name. */
const SETS = [
  'blocked hash:ip',
  'cali40masq-ipam-pools hash:net',
  'cali40all-ipam-pools hash:net',
  'cali40s:abc hash:net',
  'cali40all-hosts-net hash:net',
  'KUBE-LOAD-BALANCER hash:ip,port',
  'KUBE-CLUSTER-IP hash:ip,port',
  'KUBE-NODE-PORT-TCP bitmap:port range 0-65535',
]

describe.each([4, 6] as const)('IPv%i', (family) => {
  const files = readdirSync(folder).filter((name) => name.endsWith(`.v${family}`))
  const texts = files.map((name) => readFileSync(folder + name, 'utf8'))

  test(...needsIpset('rule sets of the real world are saved as the real tools save them'), () => {
    const judged = judge(texts, { family, before: SETS.map((set) => `ipset create ${set}\n`).join('') })
    const here = texts.map((text, i) => ({
      name: files[i],
      saved: tablesOf(save(parseRestore(text, { file: files[i], family }))),
    }))
    expect(here).toEqual(judged.map((one, i) => ({ name: files[i], ...one })))
  })
})
