// nfacct on a running gateway: objects that rules name, for packets, through the drop-ins.

import { describe, expect, test } from 'vitest'
import { needsTun } from '../device/with-native.ts'
import { newControlLab } from './lab.ts'

const done = { status: 0, stdout: '', stderr: '' }

describe('nfacct on a running gateway', () => {
  test(...needsTun('rules count packets into an object that is there, and keep it'), async () => {
    const { run, answered } = await newControlLab()
    const rule = 'INPUT -m nfacct --nfacct-name ping -j DROP'
    const missing = { status: 1, stdout: '', stderr: 'iptables: No chain/target/match by that name.\n' }
    expect(run(`iptables -A ${rule}`)).toEqual(missing)
    expect(run('nfacct add ping packet 1')).toEqual(done)
    expect(run(`iptables -A ${rule}`)).toEqual(done)
    // Within the quota the rule does not match.
    expect(answered()).toBe(true)
    expect(answered()).toBe(false)
    expect(run('nfacct get ping reset').stdout).toMatch(
      /^\{ pkts = 0+2, bytes = 0+168, .*overquota = yes \} = ping;\n$/,
    )
    expect(run('nfacct delete ping')).toEqual({
      ...done,
      status: 1,
      stderr: 'nfacct v1.0.2: error: Device or resource busy\n',
    })
    expect(run('nfacct restore', '{ pkts = 7, bytes = 8 } = other;\n')).toEqual(done)
    expect(run('iptables -F')).toEqual(done)
    expect(run('nfacct delete ping')).toEqual(done)
    expect(run('nfacct list').stdout).toBe('{ pkts = 00000000000000000007, bytes = 00000000000000000008 } = other;\n')
  })
})
