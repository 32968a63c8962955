// The native addon where it needs no TUN device: loading, arguments, batches over a socket pair, waiting.

import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as device from '../../src/device/native.ts'
import { errorOf, native, needsAddon, own, pair, referenceSum, root } from './with-native.ts'

describe('loading', () => {
  test(...needsAddon('the constants are those of the kernel headers'), () => {
    const { VNET_HDR_LENGTH, TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN, TUN_F_USO4, TUN_F_USO6 } = device
    const { POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL } = device
    expect(native.constants).toMatchObject({ VNET_HDR_LENGTH, POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL })
    expect(native.constants).toMatchObject({
      TUN_F_CSUM,
      TUN_F_TSO4,
      TUN_F_TSO6,
      TUN_F_TSO_ECN,
      TUN_F_USO4,
      TUN_F_USO6,
    })
    expect(native.errnoName(-native.constants.EBADFD)).toBe('EBADFD')
  })

  test('without the addon the error says what is missing and how to build it', async () => {
    const copy = mkdtempSync(join(tmpdir(), 'tunfilter-native-'))
    try {
      mkdirSync(join(copy, 'src/device'), { recursive: true })
      copyFileSync(join(root, 'src/errors.ts'), join(copy, 'src/errors.ts'))
      copyFileSync(join(root, 'src/device/native.ts'), join(copy, 'src/device/native.ts'))
      const { loadNative } = (await import(join(copy, 'src/device/native.ts'))) as typeof device
      const error = errorOf(loadNative)
      expect(error.code).toBe('ERR_NATIVE_MISSING')
      expect(error.message).toContain(`${copy}/native/build/tunfilter.node`)
      expect(error.message).toContain(`${copy}/scripts/build-native`)
      expect(error.message).toContain('node-api-headers is not installed (npm install')
    } finally {
      rmSync(copy, { recursive: true })
    }
  })

  test(...needsAddon('wrong arguments throw TypeError or RangeError, and nothing else happens'), () => {
    const bytes = new Uint8Array(64)
    const words = new Int32Array(4)
    const bad = native as unknown as Record<string, (...values: unknown[]) => unknown>
    const cases: [string, unknown[], typeof TypeError][] = [
      ['openTun', [], TypeError],
      ['openTun', [{}], TypeError],
      ['openTun', [{ name: 'a-name-of-16-byte' }], RangeError],
      ['openTun', [{ name: 'tun\0' }], RangeError],
      ['openTun', [{ name: 'tun0', vnetHdr: 1 }], TypeError],
      ['openTun', [{ name: 'tun0', netns: 5 }], TypeError],
      ['setLink', [undefined, { name: 'tun0', mtu: '1500' }], TypeError],
      ['addAddress', [undefined, { name: 'lo', address: '10.0.0.300', prefixLength: 8 }], RangeError],
      ['addAddress', [undefined, { name: 'lo', address: '10.0.0.1', prefixLength: 33 }], RangeError],
      ['addAddress', [undefined, { name: 'lo', address: '10.0.0.1' }], TypeError],
      ['addAddress', [undefined, { name: 'lo', address: bytes, prefixLength: 8 }], RangeError],
      ['addRoute', [undefined, { destination: '10.0.0.0/8x' }], RangeError],
      ['addRoute', [undefined, { destination: '10.0.0.0/8', via: 'fd00::1' }], RangeError],
      ['readBatch', [0, bytes, words, 3, 20, false], RangeError],
      ['readBatch', [Number.NaN, bytes, words, 1, 20, false], RangeError],
      ['readBatch', [0, bytes.buffer, words, 1, 20, false], TypeError],
      ['readBatch', [0, bytes, new Uint32Array(4), 1, 20, false], TypeError],
      ['writeBatch', [0, bytes, words, -1, false], RangeError],
      ['writeBatch', [0, bytes, words, 1], TypeError],
      ['poll', [words, 2, 0], RangeError],
      ['poll', [words, 1, Number.NaN], TypeError],
      ['checksum', [bytes, 60, 5], RangeError],
      ['madviseHuge', [words], TypeError],
      ['close', ['1'], TypeError],
      ['makeNetns', [undefined], TypeError],
    ]
    for (const [name, values, type] of cases) {
      const error = errorOf(() => bad[name]!(...values))
      expect([name, values, error.constructor.name]).toEqual([name, values, type.name])
    }
  })
})

describe('batches', () => {
  for (const memory of [ArrayBuffer, SharedArrayBuffer]) {
    test(...needsAddon(`packets cross a socket pair whole and in order, over ${memory.name}`), () => {
      const [a, b] = pair()
      const slab = new Uint8Array(new memory(65536), 64)
      const descriptors = new Int32Array(new memory(64))
      for (let i = 0; i < 4; i++) {
        descriptors.set([1024 * i, 100 + i], 2 * i)
        slab.fill(i + 1, 1024 * i, 1024 * i + 100 + i)
      }
      expect(native.writeBatch(a, slab, descriptors, 4, false)).toBe(4)
      for (let i = 0; i < 8; i++) descriptors.set([8192 + 1024 * i, -1], 2 * i)
      expect(native.readBatch(b, slab, descriptors, 8, 1024, false)).toBe(4)
      expect([...descriptors.subarray(0, 10)].filter((_, i) => i % 2)).toEqual([100, 101, 102, 103, -1])
      for (let i = 0; i < 4; i++) {
        const start = descriptors[2 * i]!
        expect(slab.slice(start, start + 101 + i)).toEqual(new Uint8Array(101 + i).fill(i + 1, 0, 100 + i))
      }
      expect(native.readBatch(b, slab, descriptors, 8, 1024, false)).toBe(0)
    })
  }

  test(...needsAddon('with a virtio-net header the IP header still lies at the start given'), () => {
    const [a, b] = pair()
    const slab = new Uint8Array(4096)
    slab.fill(7, 88, 100).fill(9, 100, 160)
    expect(native.writeBatch(a, slab, Int32Array.of(100, 60), 1, true)).toBe(1)
    const descriptors = Int32Array.of(2000, 0)
    expect(native.readBatch(b, slab, descriptors, 1, 1000, true)).toBe(1)
    expect([...descriptors]).toEqual([2000, 60])
    expect(slab.slice(1987, 2061)).toEqual(Uint8Array.of(0, ...Array(12).fill(7), ...Array(60).fill(9), 0))
  })

  test(...needsAddon('a packet that fills the capacity is flagged as cut off, and nothing is stored beyond'), () => {
    const [a, b] = pair()
    const slab = new Uint8Array(4096).fill(3, 0, 600)
    expect(native.writeBatch(a, slab, Int32Array.of(0, 99, 0, 100, 0, 600), 3, false)).toBe(3)
    const descriptors = Int32Array.of(1000, 0, 2000, 0, 3000, 0)
    expect(native.readBatch(b, slab, descriptors, 3, 100, false)).toBe(3)
    expect([...descriptors]).toEqual([1000, 99, 2000, 101, 3000, 101])
    expect([...slab.subarray(3099, 3101)]).toEqual([3, 0])
  })

  test(...needsAddon('places outside of the slab are refused, with the packets beside them written'), () => {
    const { EFAULT } = native.constants
    const [a, b] = pair()
    const slab = new Uint8Array(1024)
    const write = Int32Array.of(0, 50, 1000, 25, -1, 10, 2 ** 31 - 1, 2 ** 31 - 1, 10, -5, 974, 50)
    expect(native.writeBatch(a, slab, write, 6, false)).toBe(2)
    expect([...write].filter((_, i) => i % 2)).toEqual([50, -EFAULT, -EFAULT, -EFAULT, -EFAULT, 50])
    const header = Int32Array.of(11, 50, 12, 50)
    expect(native.writeBatch(a, slab, header, 2, true)).toBe(1)
    expect([...header]).toEqual([11, -EFAULT, 12, 50])

    expect(native.readBatch(b, slab, Int32Array.of(0, 0, 925, 0), 2, 100, false)).toBe(-EFAULT)
    expect(native.readBatch(b, slab, Int32Array.of(11, 0), 1, 100, true)).toBe(-EFAULT)
    expect(native.readBatch(b, slab, Int32Array.of(0, 0, 924, 0, 100, 0, 200, 0), 4, 100, false)).toBe(3)
  })

  test(...needsAddon('a full queue ends the batch: what was not tried says EAGAIN too'), () => {
    const { EAGAIN } = native.constants
    const [a] = pair()
    const slab = new Uint8Array(1024)
    const descriptors = new Int32Array(4000).fill(100)
    const written = native.writeBatch(a, slab, descriptors, 2000, false)
    const lengths = [...descriptors].filter((_, i) => i % 2)
    expect(written).toBeGreaterThan(0)
    expect(lengths).toEqual(lengths.map((_, i) => (i < written ? 100 : -EAGAIN)))
    expect(lengths).toContain(-EAGAIN)
  })

  test(...needsAddon('a closed descriptor is a negative errno, not an exception'), () => {
    const { EBADF } = native.constants
    const [a] = native.socketpair()
    native.close(a)
    const descriptors = Int32Array.of(0, 20)
    expect(native.readBatch(a, new Uint8Array(64), descriptors, 1, 60, false)).toBe(-EBADF)
    expect(native.writeBatch(a, new Uint8Array(64), descriptors, 1, false)).toBe(0)
    expect([...descriptors]).toEqual([0, -EBADF])
    expect(errorOf(() => native.close(a)).code).toBe('EBADF')
  })

  test(...needsAddon('checksum is the folded sum of big-endian words, for every start and length'), () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(8), (bytes, skip) => {
        const start = Math.min(skip, bytes.length)
        const length = bytes.length - start
        expect(native.checksum(bytes, start, length)).toBe(referenceSum(bytes, start, length))
      }),
    )
    const big = new Uint8Array(1 << 20).fill(0xff)
    expect(native.checksum(big, 1, big.length - 2)).toBe(referenceSum(big, 1, big.length - 2))
  })

  test(...needsAddon('huge pages can be asked for; an array without one whole page gets none'), () => {
    expect(typeof native.madviseHuge(new Uint8Array(new SharedArrayBuffer(8 << 20)))).toBe('boolean')
    expect(native.madviseHuge(new Uint8Array(100))).toBe(false)
  })
})

describe('waiting', () => {
  test(...needsAddon('poll tells ready from not ready, and an eventfd is drained'), () => {
    const event = own(native.eventFd())
    const [a, b] = pair()
    const fds = Int32Array.of(event, device.POLLIN, -1, b, device.POLLIN, -1)
    expect(native.poll(fds, 2, 0)).toBe(0)
    expect(native.poll(fds, 2, 0.5)).toBe(0)
    native.signal(event)
    native.signal(event)
    expect(native.poll(fds, 2, -1)).toBe(1)
    expect([fds[2], fds[5]]).toEqual([device.POLLIN, 0])
    expect([native.drain(event), native.drain(event)]).toEqual([2, 0])
    native.writeBatch(a, new Uint8Array(9), Int32Array.of(0, 9), 1, false)
    expect(native.poll(fds, 2, -1)).toBe(1)
    expect([fds[2], fds[5]]).toEqual([0, device.POLLIN])
  })

  test(...needsAddon('a worker that waits for ever is woken by an eventfd of the main thread'), async () => {
    const event = own(native.eventFd())
    const code = `
      const { workerData, parentPort } = require('node:worker_threads')
      const native = require(workerData.addon)
      parentPort.postMessage('waits')
      const fds = Int32Array.of(workerData.event, 1, 0)
      parentPort.postMessage([native.poll(fds, 1, -1), fds[2]])`
    const addon = join(root, 'native/build/tunfilter.node')
    const worker = new Worker(code, { eval: true, workerData: { addon, event } })
    const messages: unknown[] = []
    worker.on('message', (message) => {
      messages.push(message)
      if (message === 'waits') native.signal(event)
    })
    expect(await new Promise((resolve) => worker.once('exit', resolve))).toBe(0)
    expect(messages).toEqual(['waits', [1, device.POLLIN]])
  })

  test(...needsAddon('a signal does not end poll'), async () => {
    const child = spawn('sh', ['-c', `sleep 0.1; kill -WINCH ${process.pid}; echo`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    const caught = new Promise((resolve) => process.once('SIGWINCH', resolve))
    expect(native.poll(Int32Array.of(own(native.eventFd()), device.POLLIN, 0), 1, 400)).toBe(0)
    await Promise.all([caught, ended])
  })
})
