import { describe, expect, it } from 'vitest'
import { type Device, EAGAIN, EBADFD, EIO, ENOBUFS } from '../../src/device/device.ts'
import { MemoryDevice } from '../../src/device/memory.ts'
import type { Batch } from '../../src/packet/batch.ts'
import type { Slab } from '../../src/packet/slab.ts'
import { bytesOf } from '../support/packets.ts'
import { Router } from './router.ts'

/** Refuses packets on transmission as it is told: an errno for each, 0 to let it pass. */
class Failing extends MemoryDevice implements Device {
  errnos: number[] = []
  broken = 0

  override transmit(slab: Slab, tx: Batch): number {
    let written = 0
    for (let i = 0; i < tx.count; i++) {
      const errno = this.errnos.shift() ?? 0
      if (errno !== 0) {
        tx.set(i, tx.start(i), -errno)
        continue
      }
      written++
      this.sent.push(slab.bytes.slice(tx.start(i), tx.start(i) + tx.length(i)))
    }
    return written
  }

  readonly sent: Uint8Array[] = []

  override receive(slab: Slab, rx: Batch, most: number): number {
    return this.broken === 0 ? super.receive(slab, rx, most) : -this.broken
  }
}

const packet = (n: number) => `udp 10.0.1.2:${1000 + n} > 203.0.113.9:53 len 1`
const back = (n: number) => Array.from({ length: n }, (_, i) => `udp 203.0.113.9:53 > 10.0.1.2:${1000 + i} len 1`)
const packets = (n: number) => Array.from({ length: n }, (_, i) => packet(i))

function failing(...errnos: number[]) {
  const wan = new Failing('wan')
  wan.errnos = errnos
  const router = new Router('', { devices: { wan }, slots: 512 })
  return { wan, router, counters: () => router.engine.counters().links.wan! }
}

describe('a device that does not take what is written', () => {
  it('costs the packets that it refused, each under its reason, and no others', () => {
    const { wan, router, counters } = failing(0, EAGAIN, EIO, 0, ENOBUFS, 0)
    router.inject('lan', ...packets(6))
    expect(wan.sent.map((bytes) => bytes[21]! + bytes[20]! * 256)).toEqual([1000, 1003, 1005])
    expect(counters()).toMatchObject({ txPackets: 3, txBytes: 3 * 29, txDropped: 2, txErrors: 1 })
    expect(router.dropped()).toEqual({ 'device-queue-full': 2, 'device-error': 1 })
    expect(router.slotsOut).toBe(0)
  })

  it('is told of once for each kind, however often and in whatever order', () => {
    const { router } = failing(...Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? EAGAIN : EIO)))
    for (let i = 0; i < 30; i++) router.inject('lan', packet(i))
    expect(router.notices).toEqual([
      expect.stringMatching(/^wan: transmit failed \(errno 11\)/),
      expect.stringMatching(/^wan: transmit failed \(errno 5\)/),
    ])
  })

  it('with a full batch is flushed on the way, and nothing is lost', () => {
    const { wan, router, counters } = failing()
    router.inject('lan', ...packets(200))
    expect([wan.sent.length, counters().txPackets, router.slotsOut]).toEqual([200, 200, 0])
  })
})

describe('a device that cannot be read', () => {
  it('is left alone from then on, is told of once, and the others go on', () => {
    const { wan, router, counters } = failing()
    wan.broken = EBADFD
    for (let i = 0; i < 5; i++) router.engine.step()
    expect(router.notices).toEqual([expect.stringMatching(/^wan: receive failed \(errno 77\)/)])
    expect(counters().rxErrors).toBe(1)
    router.inject('lan', packet(1), 'icmp 10.0.1.2 > 10.0.1.1 echo-request id 1 seq 1')
    expect(router.taken()).toEqual(['lan: icmp 10.0.1.1 > 10.0.1.2 echo-reply id 1 seq 1'])
    expect(counters()).toMatchObject({ txPackets: 0, txErrors: 1 })
    expect([router.dropped(), router.slotsOut]).toEqual([{ 'device-error': 1 }, 0])
  })
})

describe('few slots', () => {
  it('still serve every device: a flood on the first does not starve the last', () => {
    const router = new Router('', { slots: 8 })
    for (const line of packets(100)) router.device('lan').inject(bytesOf(line))
    for (const line of back(100)) router.device('wan').inject(bytesOf(line))
    router.engine.step()
    expect(router.device('lan').waiting).toBeLessThan(100)
    expect(router.device('wan').waiting).toBeLessThan(100)
    while (router.engine.step() > 0);
    expect([router.taken().length, router.dropped(), router.slotsOut]).toEqual([200, {}, 0])
  })

  it('keep a quarter for what the router itself has to say', () => {
    const router = new Router('', { slots: 8 })
    expect(router.send('lan', ...Array(50).fill('icmp 10.0.1.2 > 10.0.1.1 echo-request id 1 seq 1'))).toHaveLength(50)
    expect([router.dropped(), router.slotsOut]).toEqual([{}, 0])
  })
})

it('at most a batch is taken from a device in one round', () => {
  const router = new Router('', { slots: 512 })
  for (const line of packets(100)) router.device('lan').inject(bytesOf(line))
  expect([router.engine.step(), router.engine.step(), router.engine.step()]).toEqual([64, 36, 0])
})
