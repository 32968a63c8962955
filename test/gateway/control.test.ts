// Drop-ins on a running gateway: what they change holds for packets, is counted, and outlives the gateway.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { needsTun } from '../device/with-native.ts'
import { command, newDirectory, newNamespace, RunningGateway } from './lab.ts'

async function newLab() {
  const client = newNamespace()
  const config = `devices:
  tun0: { addresses: [10.0.1.1/24], netns: ${client.path}, peer: { addresses: [10.0.1.2/24] } }
`
  const directory = newDirectory({ 'gateway.yaml': config })
  const env = { ...process.env, TUNFILTER_CONTROL: join(directory, 'socket') }
  const start = async () => {
    const gateway = new RunningGateway(directory, [
      ...['--config', 'gateway.yaml', '--control', 'socket', '--state', 'rules.state'],
    ])
    await gateway.until('"started"')
    return gateway
  }
  expect(spawnSync(command, ['link', join(directory, 'bin')]).status).toBe(0)
  const run = (line: string, input = '') => {
    const [name, ...words] = line.split(' ')
    const done = spawnSync(join(directory, 'bin', name), words, { cwd: directory, env, input, encoding: 'utf8' })
    return { status: done.status, stdout: done.stdout, stderr: done.stderr }
  }
  const answered = () => client.run('ping', '-c1', '-W1', '10.0.1.1').status === 0
  return { gateway: await start(), start, run, answered }
}

describe('drop-ins on a running gateway', () => {
  test(...needsTun('a command holds for the next packet, and rules go on counting through others'), async () => {
    const { run, answered } = await newLab()
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
    const { run } = await newLab()
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
    const { gateway, start, run, answered } = await newLab()
    expect(run('iptables -A INPUT -p icmp -j DROP').status).toBe(0)
    gateway.signal('SIGTERM')
    expect(await gateway.ended).toBe(0)
    expect(run('iptables -S')).toMatchObject({ status: 4, stderr: expect.stringContaining('no gateway listens') })
    await start()
    expect(run('iptables -S INPUT').stdout).toBe('-P INPUT ACCEPT\n-A INPUT -p icmp -j DROP\n')
    expect(answered()).toBe(false)
  })
})
