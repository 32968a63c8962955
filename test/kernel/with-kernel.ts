// The kernel as oracle, or the reason why it cannot be asked here, which then stands in the names of the skipped tests.

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { loadNative } from '../../src/device/native.ts'

const reason = tryKernel()

function tryKernel(): string {
  if (process.getuid?.() !== 0) return 'needs root'
  for (const program of [
    'iptables-legacy-restore',
    'iptables-legacy-save',
    'ip6tables-legacy-restore',
    'conntrack',
    'nsenter',
    'ip',
  ])
    if (spawnSync(program, ['--version']).error) return `needs ${program} (Debian: apt-get install iptables conntrack)`
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK)
    const native = loadNative()
    native.close(native.anonymousNetns())
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

export const needsKernel = (title: string) =>
  [reason ? `${title} (skipped: ${reason})` : title, { skip: reason !== '', timeout: 60_000 }] as const
