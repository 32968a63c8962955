// Drop-ins on a running gateway: what they change holds for packets, is counted, and outlives the gateway.

import { describe, expect, test } from 'vitest'
import { needsTun } from '../device/with-native.ts'
import { newControlLab } from './lab.ts'

describe('drop-ins on a running gateway', () => {
  test(...needsTun('a command holds for the next packet, and rules go on counting through others'), async () => {
    const { run, answered } = await newControlLab()
    expect(answered()).toBe(true)
    expect(run('iptables -A INPUT -p icmp -m comment --comment counts')).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(answered()).toBe(true)
    expect(run('iptables -I INPUT -p icmp -j DROP').status).toBe(0)
    expect(answered()).toBe(false)
    expect(run('iptables -D INPUT 1').status).toBe(0)
    expect(answered()).toBe(true)
    expect(run('iptables -P FORWARD DROP').status).toBe(0)
    expect(run('iptables -t mangle -N a').status).toBe(0)
    expect(run('iptables -v -S INPUT').stdout).toContain('--comment counts -c 2 168\n')
    expect(run('iptables -nvxL INPUT').stdout).toMatch(/^ +2 +168 +1 +-- /m)
    expect(run('iptables -Z INPUT').status).toBe(0)
    expect(run('iptables -v -S INPUT').stdout).toContain('--comment counts -c 0 0\n')
  })

  test(...needsTun('files are read and written by the client, and a restore is all or nothing'), async () => {
    const { run } = await newControlLab()
    const rules = '*filter\n:a - [0:0]\n-A INPUT -j a\n-A a -s 10.9.0.1/32 -j DROP\nCOMMIT\n'
    expect(run('iptables-restore -w 5', rules)).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(run('iptables-save -f saved').status).toBe(0)
    const { status, stderr } = run(
      'iptables-restore',
      '*filter\n-A INPUT -j DROP\nCOMMIT\n*nat\n-A OUTPUT -j NO\nCOMMIT\n',
    )
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/^iptables-restore v1.8.9 \(legacy\): line 5, [\s\S]*line: 5\n/),
    ])
    expect(run('iptables -S INPUT').stdout).toBe('-P INPUT ACCEPT\n-A INPUT -j a\n')
    expect(run('iptables -F').status).toBe(0)
    expect(run('iptables-restore saved').status).toBe(0)
    expect(run('xtables-legacy-multi iptables -S a').stdout).toBe('-N a\n-A a -s 10.9.0.1/32 -j DROP\n')
    expect(run('iptables-restore missing')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('No such file'),
    })
  })

  test(...needsTun('rules outlive the gateway, and the socket does not'), async () => {
    const { gateway, start, run, answered } = await newControlLab()
    expect(run('iptables -A INPUT -p icmp -j DROP').status).toBe(0)
    gateway.signal('SIGTERM')
    expect(await gateway.ended).toBe(0)
    expect(run('iptables -S')).toMatchObject({ status: 4, stderr: expect.stringContaining('no gateway listens') })
    await start()
    expect(run('iptables -S INPUT').stdout).toBe('-P INPUT ACCEPT\n-A INPUT -p icmp -j DROP\n')
    expect(answered()).toBe(false)
  })
})
