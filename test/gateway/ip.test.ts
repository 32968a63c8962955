// ip on a running gateway, through its control socket.

import { spawnSync } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { nativeClient } from '../../src/control/client.ts'
import { needsTun } from '../device/with-native.ts'
import { newControlLab } from './lab.ts'

describe('ip on a running gateway', () => {
  test(...needsTun('what a command changes counts for the next packet'), async () => {
    const { directory, env, answered } = await newControlLab()
    // It is no drop-in, because programs need the host's own.
    const client = join(directory, 'ip')
    symlinkSync(nativeClient() as string, client)
    const ip = (line: string) => {
      const { status, stdout, stderr } = spawnSync(client, line.split(' '), { env, encoding: 'utf8' })
      return { status, stdout, stderr }
    }
    const done = { status: 0, stdout: '', stderr: '' }
    expect(ip('route').stdout).toBe('10.0.1.0/24 dev tun0 proto kernel scope link src 10.0.1.1 \n')
    expect(answered()).toBe(true)
    expect(ip('rule add to 10.0.1.2 prohibit')).toEqual(done)
    expect(ip('rule').stdout).toContain('32765:\tfrom all to 10.0.1.2 prohibit\n')
    expect(answered()).toBe(false)
    expect(ip('rule del to 10.0.1.2')).toEqual(done)
    expect(answered()).toBe(true)
    expect(ip('addr del 10.0.1.1/24 dev tun0')).toEqual(done)
    expect(answered()).toBe(false)
    expect(ip('addr add 10.0.1.1/24 dev tun0')).toEqual(done)
    expect(answered()).toBe(true)
    expect(ip('route add default via 10.9.9.9')).toEqual({
      status: 2,
      stdout: '',
      stderr: 'Error: Nexthop has invalid gateway.\n',
    })
  })
})
