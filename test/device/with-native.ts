// What the tests of the native addon share: the addon itself, built first, or the reason why it cannot be tried here,
// which then stands in the names of the skipped tests; and descriptors that are closed after each test.

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach } from 'vitest'
import type { Native, NativeError } from '../../src/device/native.ts'
import { loadNative } from '../../src/device/native.ts'

export const root = fileURLToPath(new URL('../../', import.meta.url))
const build = spawnSync(join(root, 'scripts/build-native'), { encoding: 'utf8' })

let reason = ''
export let native = undefined as unknown as Native
if (build.status === 0) native = loadNative()
else if (/^scripts.build-native: no /m.test(build.stderr)) reason = build.stderr.trim()
else throw new Error(`scripts/build-native failed: ${build.stderr}`)

const noTun = reason || tryTun()

function tryTun(): string {
  if (process.getuid?.() !== 0) return 'needs root'
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK)
    native.close(native.anonymousNetns())
    return ''
  } catch (error) {
    return String(error)
  }
}

/** Namespaces with a name are mounts, which root of a mere user namespace may not make. */
function tryMount(): string {
  const name = `tunfilter-try-${process.pid}`
  try {
    native.makeNetns(name)
    native.removeNetns(name)
  } catch (error) {
    if (['EPERM', 'EACCES', 'EROFS'].includes((error as NativeError).code)) return String(error)
  }
  return ''
}

const noMount = noTun || tryMount()

const named = (title: string, why: string) => (why ? `${title} (skipped: ${why})` : title)
export const needsAddon = (title: string) => [named(title, reason), { skip: reason !== '' }] as const
export const needsTun = (title: string) => [named(title, noTun), { skip: noTun !== '' }] as const
export const needsMount = (title: string) => [named(title, noMount), { skip: noMount !== '' }] as const

const open: number[] = []
afterEach(() => {
  for (const fd of open.splice(0)) native.close(fd)
})

/** Closes it after the test. */
export function own(fd: number): number {
  open.push(fd)
  return fd
}

export function pair(): [number, number] {
  const fds = native.socketpair()
  open.push(...fds)
  return fds
}

export function errorOf(call: () => unknown): NativeError {
  try {
    call()
  } catch (error) {
    return error as NativeError
  }
  throw new Error('nothing was thrown')
}

export function referenceSum(bytes: Uint8Array, start: number, length: number): number {
  let sum = 0
  for (let i = 0; i < length; i++) sum += i % 2 === 0 ? bytes[start + i]! * 256 : bytes[start + i]!
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536)
  return sum
}
