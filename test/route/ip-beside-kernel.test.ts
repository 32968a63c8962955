// The commands of `ip`, one after the other, on a router of ours and on the kernel's: what is printed and the exit status are the same,
// and so is what a listing shows afterwards.

import { describe, expect, test } from 'vitest'
import type { Engine } from '../../src/engine.ts'
import { KernelRig } from '../kernel/rig.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { IP_COMMANDS } from './ip-commands.ts'
import { routerOf } from './ip-router.ts'

const CONFIG = {
  devices: {
    tun0: { addresses: ['10.0.1.1/24', '10.0.1.7/24', '2001:db8:1::1/64', 'fe80::1/64'] },
    tun1: { addresses: ['203.0.113.1/24', '2001:db8:2::1/64'] },
  },
}

/** What depends on the machine: how a device's packets are queued, and a flag that Linux keeps of how an address was added. */
function normal(text: string): string {
  return text
    .replace(/qdisc \S+/g, 'qdisc X')
    .replace(/"qdisc":"[^"]*"/g, '"qdisc":"X"')
    .replace(/qlen \d+/g, 'qlen N')
    .replace(/"txqlen":\d+/g, '"txqlen":0')
    .replace(/ nodad(?= )|"nodad":true,/g, '')
}

/** The kernel puts an IPv6 address in force, and makes its routes, a while after the command: later on a busy machine. */
async function settled(rig: KernelRig, router: Engine): Promise<void> {
  const listing = ['-o', '-6', 'addr']
  const routes = ['-6', 'route', 'show', 'table', 'all']
  const ours = normal(router.ip(listing).stdout + router.ip(routes).stdout)
  for (let tries = 0; tries < 100; tries++) {
    const real = await rig.shellRun(`ip ${listing.join(' ')}; ip ${routes.join(' ')}`)
    if (normal(real) === ours) return
    await rig.pause(20)
  }
}

describe('ip beside the real one', () => {
  for (const [what, commands] of Object.entries(IP_COMMANDS)) {
    test(...needsKernel(what), async () => {
      const rig = await KernelRig.open(CONFIG, { silence: 0.2 })
      const router = routerOf(CONFIG)
      try {
        const ours: string[] = []
        const real: string[] = []
        for (const line of commands.trim().split('\n')) {
          const words = line.trim().split(/\s+/)
          const command = words.join(' ')
          real.push(normal(`${command}\n${(await rig.shellRun(`ip ${command} 2>&1; echo "[$?]"`)).trimEnd()}`))
          const { stdout, stderr, status } = router.ip(words)
          ours.push(normal(`${command}\n${stdout}${stderr}[${status}]`))
          if (/^a\w* (add|del|flush)/.test(command)) await settled(rig, router)
        }
        expect(ours.join('\n')).toBe(real.join('\n'))
      } finally {
        router.close()
        await rig.close()
      }
    })
  }
})
