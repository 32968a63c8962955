// Random TCP conversations through our tracker and the kernel's at once. After every segment both must have called it
// the same, and have the same flows in the same state with the same timeouts. TCP_STEPS raises the number of segments.

import { afterEach, describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { BesideKernel } from './beside-kernel.ts'
import { Conversation } from './conversation.ts'

const STEPS = Number(process.env.TCP_STEPS ?? 1500)
const SEED = Number(process.env.TCP_SEED ?? 1)

let beside: BesideKernel | undefined
afterEach(() => {
  beside?.close()
  beside = undefined
})

const prefix = 'net.netfilter.nf_conntrack_tcp_'
const settings: [string, Record<string, number>, (4 | 6)?][] = [
  ['Linux defaults', {}],
  ['liberal', { [`${prefix}be_liberal`]: 1 }],
  ['no loose pickup', { [`${prefix}loose`]: 0 }],
  ['IPv6', {}, 6],
  ['accounting', { 'net.netfilter.nf_conntrack_acct': 1 }],
  ['ignored invalid RSTs, one retransmission', { [`${prefix}ignore_invalid_rst`]: 1, [`${prefix}max_retrans`]: 1 }],
]

describe('random TCP conversations fare as in the kernel', () => {
  for (const [number, [name, sysctl, family]] of settings.entries())
    test(...needsKernel(`with ${name}`), () => {
      beside = new BesideKernel(sysctl, family)
      const random = seededRandom(SEED * 16 + number)
      const conversations: Conversation[] = []
      let port = 1024
      for (let step = 0; step < STEPS; step++) {
        const slot = (random() >>> 0) % 8
        if (conversations[slot] === undefined || (random() >>> 0) % 60 === 0)
          conversations[slot] = new Conversation(random, port++, family)
        const conversation = conversations[slot]!
        const { device, bytes, line } = conversation.next()
        const kernel: string = beside.kernel(device, bytes)
        const ours: string = beside.ours(bytes)
        const flow = ` ${conversation.port} `
        const differences = beside
          .differences()
          .split('\n')
          .filter((text) => text.includes(flow))
          .join('\n')
        conversation.log.push(`${line}: ${kernel}`)
        if (kernel !== ours || differences !== '')
          expect.fail(
            `${name} step ${step}: kernel ${kernel}, ours ${ours}\n${differences}\n${conversation.log.join('\n')}`,
          )
      }
    })
})
