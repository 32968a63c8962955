// TunDevice against the kernel: what leaves arrives there, what the kernel sends is received, and a device that is down or
// gone says so. Namespaces are anonymous, and go away with their descriptors.

import { afterEach, describe, expect, test } from 'vitest'
import { EBADFD, EIO } from '../../src/device/device.ts'
import { POLLIN } from '../../src/device/native.ts'
import { Together } from '../../src/device/together.ts'
import { TunDevice, type TunIo } from '../../src/device/tun.ts'
import { Batch } from '../../src/packet/batch.ts'
import { Slab } from '../../src/packet/slab.ts'
import * as vnet from '../../src/wire/vnet.ts'
import { errorOf, native, needsTun, own, referenceSum } from './with-native.ts'

const opened: TunDevice[] = []
afterEach(() => {
  for (const tun of opened.splice(0)) tun.close()
})

function newTun(io: TunIo, offload?: boolean) {
  const netns = `/proc/self/fd/${own(native.anonymousNetns())}`
  const tun = new TunDevice({ name: 'tun0', netns, offload, io })
  opened.push(tun)
  const slab = new Slab(512)
  tun.attach(slab)
  native.writeSysctl(netns, 'net.ipv6.conf.tun0.addr_gen_mode', '1')
  native.setLink(netns, { name: 'tun0', up: true })
  native.addAddress(netns, { name: 'tun0', address: '10.9.0.1', prefixLength: 24 })
  return { netns, tun, slab }
}

/** 1 when there is something to receive, 0 when nothing came within so many milliseconds. */
function readable(tun: TunDevice, milliseconds: number): number {
  const together = Together.of([tun], own(native.eventFd()))
  if (together === undefined) return native.poll(Int32Array.of(tun.fd, POLLIN, 0), 1, milliseconds)
  together.wait(milliseconds)
  return (tun.ready as number) > 0 ? 1 : 0
}

/** Writes an ICMP echo request from 10.9.0.2 to 10.9.0.1 into a fresh slot. */
function echo(slab: Slab, sequence: number): { start: number; length: number } {
  const start = slab.take()
  const length = 84
  vnet.clear(slab.view, start)
  slab.bytes.fill(0, start, start + length)
  slab.bytes.set([0x45, 0, 0, length, 0, 0, 0, 0, 64, 1, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1, 8, 0], start)
  slab.view.setUint16(start + 26, sequence)
  slab.view.setUint16(start + 10, ~referenceSum(slab.bytes, start, 20) & 0xffff)
  slab.view.setUint16(start + 22, ~referenceSum(slab.bytes, start + 20, length - 20) & 0xffff)
  return { start, length }
}

function slots(slab: Slab, count: number): Batch {
  const batch = new Batch()
  for (let i = 0; i < count; i++) batch.set(i, slab.take(), 0)
  return batch
}

test(
  ...needsTun('devices by io_uring are waited for together: each says how much it has, and an eventfd ends the wait'),
  () => {
    const made = [newTun('uring'), newTun('uring'), newTun('uring')]
    const eventFd = own(native.eventFd())
    const together = Together.of(
      made.map(({ tun }) => tun),
      eventFd,
    )!
    const waiting = () => made.map(({ tun }) => tun.ready)
    together.wait(20)
    expect(waiting()).toEqual([0, 0, 0])
    const { tun, slab } = made[1]!
    const tx = new Batch()
    for (const sequence of [1, 2, 3]) {
      const { start, length } = echo(slab, sequence)
      tx.push(start, length)
    }
    tun.transmit(slab, tx)
    together.wait(2000)
    expect(waiting()).toEqual([0, 3, 0])
    const rx = slots(slab, 2)
    expect([tun.receive(slab, rx, 2), tun.ready]).toEqual([2, 1])
    // There is something still: this wait, and one with a signal, ends at once.
    together.wait(60_000)
    expect(waiting()).toEqual([0, 1, 0])
    expect([tun.receive(slab, slots(slab, 2), 2), tun.ready]).toEqual([1, 0])
    native.signal(eventFd)
    together.wait(60_000)
    expect([native.drain(eventFd), ...waiting()]).toEqual([0, 0, 0, 0])
    // The same while it spins, for longer than this test may take.
    native.signal(eventFd)
    together.wait(60_000, 60_000_000)
    expect([native.drain(eventFd), ...waiting()]).toEqual([0, 0, 0, 0])
    const { start, length } = echo(slab, 4)
    const again = new Batch()
    again.push(start, length)
    tun.transmit(slab, again)
    together.wait(60_000, 60_000_000)
    expect([tun.ready, tun.receive(slab, slots(slab, 2), 2), tun.ready]).toEqual([1, 1, 0])
    // Who failed is left alone once that is told.
    native.deleteLink(made[2]!.netns, 'tun0')
    together.wait(60_000)
    expect([made[2]!.tun.ready, made[2]!.tun.receive(slab, slots(slab, 1), 1)]).toEqual([1, -EBADFD])
    together.wait(20)
    expect(waiting()).toEqual([0, 0, -1])
    expect(Together.of([made[0]!.tun, newTun('read').tun], eventFd)).toBeUndefined()
  },
)

describe.each(['read', 'uring'] as const)('a TUN device by %s', (io) => {
  test(...needsTun('a batch goes out, and the answers come in'), () => {
    const { tun, slab } = newTun(io)
    const tx = new Batch()
    for (const sequence of [1, 2, 3]) {
      const { start, length } = echo(slab, sequence)
      tx.push(start, length)
    }
    expect([tun.created, tun.vnet, tun.transmit(slab, tx)]).toEqual([true, true, 3])
    const rx = slots(slab, 8)
    const answers: number[][] = []
    while (answers.length < 3 && readable(tun, 2000) === 1) {
      const n = tun.receive(slab, rx, 8)
      for (let i = 0; i < n; i++)
        answers.push([slab.bytes[rx.start(i) + 20], slab.bytes[rx.start(i) + 27], rx.length(i)])
    }
    expect(answers).toEqual([
      [0, 1, 84],
      [0, 2, 84],
      [0, 3, 84],
    ])
    expect(tun.receive(slab, rx, 8)).toBe(0)
  })

  test(...needsTun('without offload the kernel hands over plain packets of at most the MTU'), () => {
    const { netns, tun, slab } = newTun(io, false)
    expect(tun.vnet).toBe(false)
    native.setLink(netns, { name: 'tun0', mtu: 1280 })
    const tx = new Batch()
    const { start, length } = echo(slab, 1)
    tx.push(start, length)
    tun.transmit(slab, tx)
    const rx = slots(slab, 4)
    readable(tun, 2000)
    expect(tun.receive(slab, rx, 4)).toBe(1)
    expect(slab.view.getUint8(rx.start(0) + vnet.GSO_TYPE)).toBe(vnet.GSO_NONE)
    expect(slab.view.getUint8(rx.start(0) + vnet.FLAGS) & vnet.NEEDS_CHECKSUM).toBe(0)
  })

  test(...needsTun('one that is down receives nothing and fails writes, and goes on when it is up again'), () => {
    const { netns, tun, slab } = newTun(io)
    const rx = slots(slab, 4)
    native.setLink(netns, { name: 'tun0', up: false })
    const tx = new Batch()
    const { start, length } = echo(slab, 1)
    tx.push(start, length)
    expect(tun.receive(slab, rx, 4)).toBe(0)
    expect([tun.transmit(slab, tx), tx.length(0)]).toEqual([0, -EIO])
    // Waiting for it must not be a busy loop.
    expect(readable(tun, 50)).toBe(0)
    native.setLink(netns, { name: 'tun0', up: true })
    tx.set(0, start, length)
    expect(tun.transmit(slab, tx)).toBe(1)
    readable(tun, 2000)
    expect(tun.receive(slab, rx, 4)).toBe(1)
  })

  test(...needsTun('one that is closed is gone at once, and its name is free'), () => {
    const netns = `/proc/self/fd/${own(native.anonymousNetns())}`
    for (let i = 0; i < 200; i++) {
      const tun = new TunDevice({ name: 'tun0', netns, io })
      native.setLink(netns, { name: 'tun0', up: true })
      tun.attach(new Slab(300))
      tun.close()
      expect(native.listLinks(netns).map(({ name }) => name)).toEqual(['lo'])
    }
  })

  test(...needsTun('one that was deleted is ready, and fails with EBADFD both ways'), () => {
    const { netns, tun, slab } = newTun(io)
    native.deleteLink(netns, 'tun0')
    expect(readable(tun, 2000)).toBe(1)
    expect(tun.receive(slab, slots(slab, 4), 4)).toBe(-EBADFD)
    const tx = new Batch()
    const { start, length } = echo(slab, 1)
    tx.push(start, length)
    expect([tun.transmit(slab, tx), tx.length(0)]).toEqual([0, -EBADFD])
  })

  test(
    ...needsTun('a persistent one that is there is attached to; one that is in use is an error with its name'),
    () => {
      const { netns } = newTun(io)
      const first = new TunDevice({ name: 'tun7', netns, persist: true })
      expect(errorOf(() => new TunDevice({ name: 'tun7', netns }))).toMatchObject({ code: 'EBUSY', target: 'tun7' })
      first.close()
      const again = new TunDevice({ name: 'tun7', netns })
      own(again.fd)
      expect([first.created, again.created]).toEqual([true, false])
    },
  )
})

test(...needsTun('a flow of a steered device comes by one queue, whichever the other side was written to'), () => {
  const netns = `/proc/self/fd/${own(native.anonymousNetns())}`
  const queues = [0, 1].map(() => new TunDevice({ name: 'tun0', netns, io: 'read', multiQueue: true }))
  opened.push(...queues)
  native.steerQueues(queues[1]!.fd)
  native.writeSysctl(netns, 'net.ipv6.conf.tun0.addr_gen_mode', '1')
  native.setLink(netns, { name: 'tun0', up: true })
  native.addAddress(netns, { name: 'tun0', address: '10.9.0.1', prefixLength: 24 })
  const slab = new Slab(64)
  const came = new Map<number, Set<number>>()
  for (const by of [0, 1, 0])
    for (let host = 10; host < 42; host++) {
      const { start, length } = echo(slab, host)
      slab.bytes[start + 15] = host
      slab.view.setUint16(start + 10, 0)
      slab.view.setUint16(start + 10, ~referenceSum(slab.bytes, start, 20) & 0xffff)
      const tx = new Batch()
      tx.push(start, length)
      expect(queues[by]!.transmit(slab, tx)).toBe(1)
      slab.give(start)
      const rx = slots(slab, 1)
      const answered = queues.findIndex((queue) => queue.receive(slab, rx, 1) === 1)
      expect([slab.bytes[rx.start(0) + 19], slab.bytes[rx.start(0) + 20]]).toEqual([host, 0])
      slab.give(rx.start(0))
      came.set(host, (came.get(host) ?? new Set()).add(answered))
    }
  expect([...came.values()].map(({ size }) => size)).toEqual(Array(32).fill(1))
  expect(new Set([...came.values()].flatMap((queue) => [...queue])).size).toBe(2)
})
