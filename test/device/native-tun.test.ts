// The native addon against the kernel. Devices live in anonymous network namespaces, which go away with their
// descriptor, so that nothing is left behind.

import { execFileSync } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as device from '../../src/device/native.ts'
import { errorOf, native, needsMount, needsTun, own, referenceSum, root } from './with-native.ts'

function newNetns(): string {
  return `/proc/self/fd/${own(native.anonymousNetns())}`
}

/** A TUN that is up as 10.9.0.1/24 and fd09::1/64. */
function newTun(options: { vnetHdr?: boolean } = {}) {
  const netns = newNetns()
  const tun = native.openTun({ name: 'tun0', netns, ...options })
  own(tun.fd)
  native.writeSysctl(netns, 'net.ipv6.conf.tun0.addr_gen_mode', '1')
  native.setLink(netns, { name: 'tun0', up: true })
  native.addAddress(netns, { name: 'tun0', address: '10.9.0.1', prefixLength: 24 })
  return { netns, ...tun }
}

/** An ICMP echo request from 10.9.0.2 to 10.9.0.1; returns its length. */
function putEcho(slab: Uint8Array, start: number, sequence: number, payload = 36): number {
  const length = 28 + payload
  const view = new DataView(slab.buffer, slab.byteOffset + start, length)
  slab.fill(0, start, start + length)
  slab.set([0x45, 0, length >> 8, length & 255, 0, 0, 0, 0, 64, 1, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1, 8, 0], start)
  view.setUint16(24, 77)
  view.setUint16(26, sequence)
  view.setUint16(10, ~referenceSum(slab, start, 20) & 0xffff)
  view.setUint16(22, ~referenceSum(slab, start + 20, length - 20) & 0xffff)
  return length
}

/** Reads until `count` packets are there: [type, sequence] of the ICMP message in each. */
function readEchoes(fd: number, slab: Uint8Array, count: number, vnetHdr = false): number[][] {
  const descriptors = Int32Array.from({ length: 2 * count }, (_, i) => (i % 2 ? 0 : 12 + (i / 2) * 2048))
  const wait = Int32Array.of(fd, device.POLLIN, 0)
  let read = 0
  while (read < count && native.poll(wait, 1, 2000) === 1) {
    const n = native.readBatch(fd, slab, descriptors.subarray(2 * read), count - read, 2000, vnetHdr)
    if (n < 0) throw new Error(native.errnoName(n))
    read += n
  }
  return Array.from({ length: read }, (_, i) => {
    const start = descriptors[2 * i]!
    return [slab[start + 20]!, slab[start + 27]!, descriptors[2 * i + 1]!]
  })
}

describe('a TUN device', () => {
  test(...needsTun('name, MTU, queue length, up, address and route are set and read back'), () => {
    const { netns, ...tun } = newTun()
    expect(tun).toMatchObject({ name: 'tun0', created: true })
    native.setLink(netns, { name: 'tun0', mtu: 1400, txQueueLength: 777 })
    native.addAddress(netns, { name: 'tun0', address: Uint8Array.of(10, 8, 0, 1), peer: '10.8.0.2', prefixLength: 32 })
    native.addRoute(netns, { destination: 'default', via: '10.9.0.2', source: '10.8.0.1', metric: 5, mtu: 1300 })
    native.addRoute(netns, { destination: '10.7.0.0/16', dev: 'tun0', table: 1000 })
    const link = native.listLinks(netns).find(({ name }) => name === 'tun0')
    const addresses = [
      { family: 4, address: '10.9.0.1', prefixLength: 24, scope: 0 },
      { family: 4, address: '10.8.0.1', peer: '10.8.0.2', prefixLength: 32, scope: 0 },
    ]
    expect(link).toMatchObject({ index: tun.index, kind: 'tun', mtu: 1400, txQueueLength: 777, up: true })
    expect(link?.addresses).toHaveLength(2)
    expect(link?.addresses).toEqual(expect.arrayContaining(addresses))
    expect(native.listAddresses(netns)).toContainEqual({ name: 'tun0', index: tun.index, ...addresses[0] })
    const via = {
      family: 4,
      via: '10.9.0.2',
      dev: 'tun0',
      source: '10.8.0.1',
      mtu: 1300,
      metric: 5,
      table: 254,
      type: 1,
    }
    expect(native.listRoutes(netns)).toContainEqual({ destination: '0.0.0.0/0', ...via })
    expect(native.listRoutes(netns)).toContainEqual(
      expect.objectContaining({ destination: '10.7.0.0/16', dev: 'tun0', table: 1000 }),
    )

    native.deleteRoute(netns, { destination: 'default' })
    native.deleteAddress(netns, { name: 'tun0', address: '10.8.0.1', peer: '10.8.0.2', prefixLength: 32 })
    native.setLink(netns, { name: 'tun0', up: false })
    expect(native.listLinks(netns).find(({ name }) => name === 'tun0')?.up).toBe(false)
    expect(native.listAddresses(netns).map(({ address }) => address)).toEqual(['10.9.0.1'])
    expect(native.listRoutes(netns).filter(({ destination }) => destination === '0.0.0.0/0')).toEqual([])
  })

  test(...needsTun('IPv6 addresses and routes are set and read back'), () => {
    const { netns } = newTun()
    const bytes = Uint8Array.of(0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    native.addAddress(netns, { name: 'tun0', address: bytes, prefixLength: 64 })
    native.addRoute(netns, { destination: 'default', via: 'fd09::2', metric: 30 })
    native.addRoute(netns, { destination: 'fd77::/32', dev: 'tun0' })
    expect(native.listAddresses(netns)).toContainEqual(
      expect.objectContaining({ family: 6, address: 'fd09::1', prefixLength: 64 }),
    )
    const routes = native.listRoutes(netns).filter(({ family, table }) => family === 6 && table === 254)
    expect(routes).toContainEqual(
      expect.objectContaining({ destination: '::/0', via: 'fd09::2', metric: 30, dev: 'tun0' }),
    )
    expect(routes).toContainEqual(expect.objectContaining({ destination: 'fd77::/32', dev: 'tun0' }))
    native.deleteRoute(netns, { destination: 'fd77::/32' })
    native.deleteAddress(netns, { name: 'tun0', address: 'fd09::1', prefixLength: 64 })
    expect(native.listAddresses(netns).filter(({ family }) => family === 6)).toEqual([])
  })

  for (const vnetHdr of [false, true]) {
    const title = vnetHdr ? 'with a virtio-net header and offloads' : 'without a virtio-net header'
    test(...needsTun(`the kernel answers an ICMP echo, ${title}; a bad packet does not stop its batch`), () => {
      const { fd } = newTun({ vnetHdr })
      if (vnetHdr) native.setOffload(fd, device.TUN_F_CSUM | device.TUN_F_TSO4 | device.TUN_F_TSO6)
      const slab = new Uint8Array(new SharedArrayBuffer(16384))
      const descriptors = Int32Array.of(12, putEcho(slab, 12, 1), 2060, 40, 4108, putEcho(slab, 4108, 3))
      expect(native.writeBatch(fd, slab, descriptors, 3, vnetHdr)).toBe(2)
      expect([...descriptors]).toEqual([12, 64, 2060, -native.constants.EINVAL, 4108, 64])
      expect(readEchoes(fd, slab, 2, vnetHdr)).toEqual([
        [0, 1, 64],
        [0, 3, 64],
      ])
      if (vnetHdr) expect([...slab.subarray(0, 10)]).toEqual(Array(10).fill(0))
    })
  }

  test(...needsTun('a packet above the capacity is flagged as cut off'), () => {
    const { fd } = newTun()
    const slab = new Uint8Array(4096)
    native.writeBatch(fd, slab, Int32Array.of(0, putEcho(slab, 0, 1, 500)), 1, false)
    expect(native.poll(Int32Array.of(fd, device.POLLIN, 0), 1, 2000)).toBe(1)
    const descriptors = Int32Array.of(1024, 0, 2048, 0)
    expect(native.readBatch(fd, slab, descriptors, 2, 200, false)).toBe(1)
    expect([...descriptors]).toEqual([1024, 201, 2048, 0])
  })

  test(...needsTun('down, writing says EIO; deleted, everything says EBADFD'), () => {
    const { EBADFD, EIO } = native.constants
    const { fd, netns } = newTun()
    const slab = new Uint8Array(2048)
    const descriptors = Int32Array.of(0, putEcho(slab, 0, 1))
    native.setLink(netns, { name: 'tun0', up: false })
    expect(native.writeBatch(fd, slab, descriptors, 1, false)).toBe(0)
    expect(descriptors[1]).toBe(-EIO)
    expect(native.readBatch(fd, slab, descriptors, 1, 2000, false)).toBe(0)

    native.deleteLink(netns, 'tun0')
    const wait = Int32Array.of(fd, device.POLLIN, 0)
    expect(native.poll(wait, 1, 2000)).toBe(1)
    expect(wait[2]! & device.POLLERR).toBe(device.POLLERR)
    expect(native.readBatch(fd, slab, descriptors, 1, 2000, false)).toBe(-EBADFD)
    descriptors[1] = 64
    expect(native.writeBatch(fd, slab, descriptors, 1, false)).toBe(0)
    expect(descriptors[1]).toBe(-EBADFD)
  })

  test(...needsTun('a persistent device outlives its descriptor and is attached to'), () => {
    const netns = newNetns()
    native.close(native.openTun({ name: 'keep0', netns, persist: true }).fd)
    const again = native.openTun({ name: 'keep0', netns, persist: false, vnetHdr: true })
    expect(again).toMatchObject({ name: 'keep0', created: false })
    native.close(again.fd)
    expect(native.listLinks(netns).map(({ name }) => name)).toEqual(['lo'])
  })

  test(...needsTun('a second opener gets EBUSY, but for a further queue of a multi-queue device'), () => {
    const { netns } = newTun()
    const error = errorOf(() => native.openTun({ name: 'tun0', netns }))
    expect(error).toMatchObject({ code: 'EBUSY', syscall: 'TUNSETIFF', target: 'tun0', netns })
    expect(error.message).toContain(`openTun tun0 in network namespace ${netns}: TUNSETIFF: EBUSY`)
    const first = native.openTun({ name: 'many%d', netns, multiQueue: true })
    own(first.fd)
    const second = native.openTun({ name: first.name, netns, multiQueue: true })
    own(second.fd)
    expect([first.name, second.created, second.index]).toEqual(['many0', false, first.index])
  })

  test(...needsTun('what fails says so by errno and leaves no descriptor open'), () => {
    const { fd, netns } = newTun()
    const address = { name: 'tun0', address: '10.9.0.1', prefixLength: 24 }
    const descriptors = readdirSync('/proc/self/fd').length
    const cases: [() => unknown, string, string][] = [
      [() => native.addAddress(netns, address), 'EEXIST', 'RTM_NEWADDR'],
      [() => native.deleteAddress(netns, { ...address, address: '10.9.0.7' }), 'EADDRNOTAVAIL', 'RTM_DELADDR'],
      [() => native.addRoute(netns, { destination: '10.5.0.0/16', via: '172.16.0.1' }), 'ENETUNREACH', 'RTM_NEWROUTE'],
      [() => native.addRoute(netns, { destination: '10.9.0.0/24', dev: 'tun0' }), 'EEXIST', 'RTM_NEWROUTE'],
      [() => native.addRoute(netns, { destination: '10.5.0.1/16', dev: 'tun0' }), 'EINVAL', 'RTM_NEWROUTE'],
      [() => native.deleteRoute(netns, { destination: '10.5.0.0/16' }), 'ESRCH', 'RTM_DELROUTE'],
      [() => native.setLink(netns, { name: 'none0', up: true }), 'ENODEV', 'if_nametoindex'],
      [() => native.setLink(netns, { name: 'tun0', mtu: 10 }), 'EINVAL', 'RTM_NEWLINK'],
      [() => native.openTun({ name: 'lo', netns }), 'EINVAL', 'TUNSETIFF'],
      [() => native.openTun({ name: 'tun0', netns: 'tunfilter-none' }), 'ENOENT', 'open'],
      [() => native.openTun({ name: 'tun0', netns: '/dev/null' }), 'EINVAL', 'setns'],
      [() => native.setOffload(fd, 1 << 20), 'EINVAL', 'TUNSETOFFLOAD'],
      [() => native.readSysctl(netns, 'net.ipv4.none'), 'ENOENT', 'open'],
      [() => native.readSysctl(netns, 'kernel.hostname'), 'EINVAL', 'open'],
      [() => native.readSysctl(netns, 'net/../kernel/hostname'), 'EINVAL', 'open'],
    ]
    for (const [call, code, syscall] of cases) expect(errorOf(call)).toMatchObject({ code, syscall })
    expect(readdirSync('/proc/self/fd')).toHaveLength(descriptors)
  })
})

describe('network namespaces', () => {
  test(...needsTun('the calling thread stays in its own, whether a call succeeds or fails'), () => {
    const before = readlinkSync('/proc/thread-self/ns/net')
    const { netns } = newTun()
    expect(readlinkSync(netns)).not.toBe(before)
    errorOf(() => native.openTun({ name: 'tun0', netns }))
    errorOf(() => native.openTun({ name: 'tun0', netns: '/dev/null' }))
    native.listLinks(netns)
    expect(readlinkSync('/proc/thread-self/ns/net')).toBe(before)
  })

  test(...needsTun('sysctls are those of the namespace'), () => {
    const netns = newNetns()
    const here = native.readSysctl(undefined, 'net.ipv4.ip_forward')
    const other = native.readSysctl(netns, 'net.ipv4.ip_forward') === '1' ? '0' : '1'
    native.writeSysctl(netns, 'net.ipv4.ip_forward', other)
    expect(native.readSysctl(netns, 'net/ipv4/ip_forward')).toBe(other)
    expect(native.readSysctl(undefined, 'net.ipv4.ip_forward')).toBe(here)
  })

  test(...needsMount('one with a name is made, entered by its name and removed'), () => {
    const name = `tunfilter-native-${process.pid}`
    native.makeNetns(name)
    try {
      native.setLink(name, { name: 'lo', up: true })
      expect(native.listLinks(name)).toMatchObject([{ name: 'lo', up: true }])
      expect(native.listAddresses(name)).toContainEqual(expect.objectContaining({ address: '127.0.0.1', scope: 254 }))
      expect(errorOf(() => native.makeNetns(name))).toMatchObject({ code: 'EEXIST', target: name })
    } finally {
      native.removeNetns(name)
    }
    expect(errorOf(() => native.listLinks(name)).code).toBe('ENOENT')
    expect(errorOf(() => native.removeNetns(name)).code).toBe('ENOENT')
    expect(errorOf(() => native.makeNetns('../x')).code).toBe('EINVAL')
  })

  test(...needsTun('inside a user namespace devices are opened and configured without being root'), () => {
    const code = `
      const native = require(process.argv[1])
      const tun = native.openTun({ name: 'tun0' })
      native.setLink(undefined, { name: 'tun0', up: true })
      native.addAddress(undefined, { name: 'tun0', address: '10.9.0.1', prefixLength: 24 })
      native.addRoute(undefined, { destination: 'default', via: '10.9.0.2' })
      const other = '/proc/self/fd/' + native.anonymousNetns()
      native.openTun({ name: 'tun7', netns: other })
      console.log(tun.created, native.listAddresses()[0].address, native.listLinks(other)[1].name)`
    const node = [process.execPath, '-e', code, join(root, 'native/build/tunfilter.node')]
    expect(execFileSync('unshare', ['-Urn', ...node], { encoding: 'utf8' })).toBe('true 10.9.0.1 tun7\n')
  })
})
