// Large packets and partial checksums through Linux and through the engine: what leaves has to be the same, byte for byte, by
// devices with offload and by devices without, where Linux segments and completes in software.

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { RouterConfig } from '../../src/config.ts'
import { MemoryDevice } from '../../src/device/memory.ts'
import { loadNative, POLLIN } from '../../src/device/native.ts'
import { Engine } from '../../src/engine.ts'
import { seededRandom } from '../../src/random.ts'
import { VirtualClock } from '../../src/time.ts'
import { checksum } from '../../src/wire/checksum.ts'
import * as vnet from '../../src/wire/vnet.ts'
import { OffloadDevice, offloaded } from '../support/offload.ts'
import { NamespaceShell } from './shell.ts'
import { needsKernel } from './with-kernel.ts'

const STRIDE = 70_000
const SLOTS = 64
const HEADROOM = 64

const open: { close(): void | Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close()
})

interface Side {
  /** What leaves by each device for one packet, headers and all. */
  send(device: string, bytes: Uint8Array): Promise<string[]>
  counters(): Promise<string>
}

interface Setting {
  readonly rules: string
  readonly rules6: string
  readonly mtu?: number
  /** Of the device that packets leave by. */
  readonly offload: boolean
}

const configOf = ({ mtu = 1500 }: Setting): RouterConfig => ({
  devices: {
    tun0: { addresses: ['10.0.1.1/24', '2001:db8:1::1/64'] },
    tun1: { addresses: ['203.0.113.1/24', '2001:db8:2::1/64'], mtu },
  },
  sysctl: { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 },
})

/**
 * Without what a receiver must not look at: hdr_len is only a hint, and DATA_VALID says nothing about the packet. A partial checksum
 * of a packet that stands for itself is completed: whether the router (of its own RST) or the device does that is all one.
 */
function shown(device: string, bytes: Uint8Array): string {
  const copy = bytes.slice()
  const view = new DataView(copy.buffer)
  copy[vnet.SIZE + vnet.HEADER_LENGTH] = copy[vnet.SIZE + vnet.HEADER_LENGTH + 1] = 0
  copy[vnet.SIZE + vnet.FLAGS]! &= ~vnet.DATA_VALID
  if (copy[vnet.SIZE + vnet.FLAGS] !== 0 && copy[vnet.SIZE + vnet.GSO_TYPE] === vnet.GSO_NONE) {
    const from = vnet.SIZE + view.getUint16(vnet.SIZE + vnet.CHECKSUM_START, true)
    const field = from + view.getUint16(vnet.SIZE + vnet.CHECKSUM_OFFSET, true)
    view.setUint16(field, checksum(view, from, copy.length - from) || 0xffff)
    copy.fill(0, 0, vnet.SIZE)
  }
  // The router's own packets have an id, or a flow label, that is its own choice; what is handed in has none.
  if (copy[vnet.SIZE]! >> 4 === 6) view.setUint32(vnet.SIZE, view.getUint32(vnet.SIZE) & 0xfff00000)
  else if (copy[vnet.SIZE + 9] === 1) copy.fill(0, vnet.SIZE + 4, vnet.SIZE + 6).fill(0, vnet.SIZE + 10, vnet.SIZE + 12)
  return `${device} ${Buffer.from(copy.subarray(0, vnet.SIZE)).toString('hex')} ${Buffer.from(copy.subarray(vnet.SIZE)).toString('hex')}`
}

/** Reports of groups and solicitations of routers, which the kernel sends of its own accord. */
function isHousekeeping(bytes: Uint8Array): boolean {
  const packet = bytes.subarray(vnet.SIZE)
  if (packet[0]! >> 4 !== 6) return false
  return (packet[6] === 0 && packet[48] === 143) || (packet[6] === 58 && packet[40] === 133)
}

async function kernel(setting: Setting): Promise<Side> {
  const native = loadNative()
  const netnsFd = native.anonymousNetns()
  const netns = `/proc/self/fd/${netnsFd}`
  const shell = new NamespaceShell(`/proc/${process.pid}/fd/${netnsFd}`, {
    XTABLES_LOCKFILE: join(tmpdir(), `tunfilter-offload-${process.pid}.lock`),
  })
  const config = configOf(setting)
  native.setLink(netns, { name: 'lo', up: true })
  native.writeSysctl(netns, 'net.ipv6.conf.default.addr_gen_mode', '1')
  native.writeSysctl(netns, 'net.ipv6.conf.default.accept_dad', '0')
  native.writeSysctl(netns, 'net.ipv6.conf.all.forwarding', '1')
  native.writeSysctl(netns, 'net.ipv4.ip_forward', '1')
  native.writeSysctl(netns, 'net.ipv4.conf.default.rp_filter', '0')
  native.writeSysctl(netns, 'net.ipv4.conf.all.rp_filter', '0')
  const { TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_USO4, TUN_F_USO6 } = native.constants
  const all = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6
  const fds = Object.entries(config.devices).map(([name, { addresses, mtu = 1500 }]) => {
    const { fd } = native.openTun({ name, netns, vnetHdr: true })
    native.setOffload(fd, name === 'tun0' || setting.offload ? all : 0)
    native.setLink(netns, { name, up: true, mtu, txQueueLength: 1000 })
    for (const text of addresses!) {
      const [address, length] = text.split('/')
      native.addAddress(netns, { name, address: address!, prefixLength: Number(length) })
    }
    return { name, fd }
  })
  await shell.run('iptables-legacy-restore -w', setting.rules)
  await shell.run('ip6tables-legacy-restore -w', setting.rules6)
  open.push({
    async close() {
      await shell.close()
      for (const { fd } of fds) native.close(fd)
      native.close(netnsFd)
    },
  })
  const slab = new Uint8Array(STRIDE * SLOTS)
  const places = () => Int32Array.from({ length: 2 * SLOTS }, (_, i) => (i % 2 ? 0 : (i / 2) * STRIDE + HEADROOM))
  return {
    async send(device, bytes) {
      slab.set(bytes, HEADROOM - vnet.SIZE)
      const one = Int32Array.of(HEADROOM, bytes.length - vnet.SIZE)
      const { fd } = fds.find(({ name }) => name === device)!
      if (native.writeBatch(fd, slab, one, 1, true) !== 1)
        throw new Error(`the kernel refused the packet: ${native.errnoName(one[1]!)}`)
      const out: string[] = []
      const wait = Int32Array.from(fds.flatMap((each) => [each.fd, POLLIN, 0]))
      while (native.poll(wait, fds.length, 5) > 0)
        for (const { name, fd: from } of fds) {
          const descriptors = places()
          const n = native.readBatch(from, slab, descriptors, SLOTS, 65536, true)
          for (let i = 0; i < n; i++) {
            const start = descriptors[2 * i]!
            const packet = slab.slice(start - vnet.SIZE, start + descriptors[2 * i + 1]!)
            if (!isHousekeeping(packet)) out.push(shown(name, packet))
          }
        }
      return out
    },
    counters: async () => `${await shell.run('iptables-legacy-save -c')}${await shell.run('ip6tables-legacy-save -c')}`,
  }
}

async function engine(setting: Setting): Promise<Side> {
  const tun0 = new OffloadDevice('tun0')
  const tun1 = setting.offload ? new OffloadDevice('tun1') : new MemoryDevice('tun1')
  const made = Engine.open({
    config: configOf(setting),
    devices: new Map([tun0, tun1].map((device) => [device.name, device])),
    clock: new VirtualClock(1_700_000_000_000),
    random: seededRandom(1),
    slots: 256,
  })
  made.load(setting.rules)
  made.load(setting.rules6, { family: 6 })
  open.push(made)
  return {
    async send(_device, bytes) {
      tun0.inject(bytes)
      while (made.step() > 0);
      const plain = (packet: Uint8Array) => Uint8Array.from([...new Uint8Array(vnet.SIZE), ...packet])
      const left = [
        ...tun0.take().map((each) => shown('tun0', each)),
        ...(tun1 instanceof MemoryDevice ? tun1.take().map(plain) : tun1.take()).map((each) => shown('tun1', each)),
      ]
      expect(made.slab.free).toBe(made.slab.slots)
      return left
    },
    counters: async () => `${made.saveRules({ counters: true })}${made.saveRules({ counters: true, family: 6 })}`,
  }
}

/** Without the policies that the kernel's own reports of groups pass in IPv6. */
const counted = (text: string) => text.split('\n').filter((line) => /^\[|^:(PREROUTING|INPUT|FORWARD)/.test(line))

const NAT = `*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
-A PREROUTING -p tcp -m tcp --dport 8080 -j DNAT --to-destination 203.0.113.9:80
-A POSTROUTING -o tun1 -j MASQUERADE
COMMIT
*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -p tcp -m tcp --dport 81 -j REJECT --reject-with tcp-reset
-A FORWARD -p udp -m udp --dport 81 -j REJECT
-A FORWARD -m length --length 1501:65535
COMMIT
`

const NAT6 = NAT.replace('203.0.113.9:80', '[2001:db8:2::9]:80').replace(
  '-p udp -m udp --dport 81 -j REJECT',
  '-p udp -m udp --dport 81 -j REJECT --reject-with icmp6-port-unreachable',
)

const LINES: readonly (readonly [what: string, line: string, gsoSize: number])[] = [
  ['a SYN with a partial checksum', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 S seq 1 <mss 1460,sackOK,ts 1 0>', 0],
  ['data in many segments', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 P. seq 2 ack 1 ipid 65530 DF len 9000', 1448],
  [
    'the last one short, FIN and options',
    'tcp 10.0.1.2:1000 > 203.0.113.9:80 F.P seq 9002 ack 1 DF len 3001 <nop,nop,ts 7 8>',
    1000,
  ],
  ['CWR in the first only', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 .W seq 12004 ack 1 DF len 3000', 1448],
  ['less than one segment', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 P. seq 15004 ack 1 DF len 300', 1448],
  ['as large as it can be', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 P. seq 15304 ack 1 DF len 65000', 1448],
  ['to another address and port', 'tcp 10.0.1.2:1001 > 203.0.113.1:8080 . seq 1 ack 1 DF len 4000', 1400],
  ['an odd number of bytes', 'tcp 10.0.1.2:1001 > 203.0.113.1:8080 . seq 4001 ack 1 DF len 2999', 999],
  ['a datagram with a partial checksum', 'udp 10.0.1.2:2000 > 203.0.113.9:53 len 101', 0],
  ['datagrams in one', 'udp 10.0.1.2:2000 > 203.0.113.9:53 ipid 7 len 5001', 1000],
  ['refused by a reset', 'tcp 10.0.1.2:1002 > 203.0.113.9:81 P. seq 5 ack 9 DF len 5000', 1448],
  ['refused by an error', 'udp 10.0.1.2:2001 > 203.0.113.9:81 len 5000', 1000],
  ['to a closed port of the router', 'tcp 10.0.1.2:1003 > 10.0.1.1:99 . seq 5 ack 9 len 5000', 1448],
  ['to a closed UDP port of the router', 'udp 10.0.1.2:1003 > 10.0.1.1:99 len 900', 0],
  ['IPv6: data in many segments', 'tcp [2001:db8:1::2]:1000 > [2001:db8:2::9]:80 P. seq 2 ack 1 len 9001', 1428],
  [
    'IPv6: FIN and options',
    'tcp [2001:db8:1::2]:1000 > [2001:db8:2::9]:80 F. seq 9003 ack 1 len 3001 <nop,nop,ts 7 8>',
    1000,
  ],
  ['IPv6: to another address', 'tcp [2001:db8:1::2]:1001 > [2001:db8:2::1]:8080 . seq 1 ack 1 len 4000', 1200],
  ['IPv6: a partial checksum', 'udp [2001:db8:1::2]:2000 > [2001:db8:2::9]:53 len 101', 0],
  ['IPv6: datagrams in one', 'udp [2001:db8:1::2]:2000 > [2001:db8:2::9]:53 len 5001', 1000],
  ['IPv6: refused by a reset', 'tcp [2001:db8:1::2]:1002 > [2001:db8:2::9]:81 P. seq 5 ack 9 len 5000', 1428],
  ['IPv6: refused by an error', 'udp [2001:db8:1::2]:2001 > [2001:db8:2::9]:81 len 5000', 1000],
  ['IPv6: to a closed port', 'tcp [2001:db8:1::2]:1003 > [2001:db8:1::1]:99 . seq 5 ack 9 len 5000', 1428],
]

describe('large packets and partial checksums leave as from Linux', () => {
  for (const offload of [true, false])
    for (const mtu of [1500, 1300])
      test(...needsKernel(`by a device ${offload ? 'with' : 'without'} offload, MTU ${mtu}`), async () => {
        const setting = { rules: NAT, rules6: NAT6, offload, mtu }
        const [linux, ours] = [await kernel(setting), await engine(setting)]
        for (const [what, line, gsoSize] of LINES)
          for (const each of mtu < 1500 ? [line, line.replace(' DF', '')] : [line]) {
            const bytes = offloaded(each, gsoSize)
            const [theirs, mine] = [await linux.send('tun0', bytes), await ours.send('tun0', bytes)]
            expect({ what: `${what}: ${each}`, out: mine }).toEqual({ what: `${what}: ${each}`, out: theirs })
          }
        expect(counted(await ours.counters())).toEqual(counted(await linux.counters()))
      })
})
