// conntrack on a running gateway, through the drop-in: flows of real packets are listed, watched, changed and deleted.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { needsTun } from '../device/with-native.ts'
import { newControlLab } from './lab.ts'

const BANNER = 'conntrack v1.4.7 (conntrack-tools): '
const RULE = 'iptables -A INPUT -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT'

/** `conntrack -E` in the background; `until` waits for what it prints. */
function watching(directory: string, env: NodeJS.ProcessEnv, ...words: string[]) {
  const child = spawn(join(directory, 'bin', 'conntrack'), ['-E', ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  let heard = () => {}
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
    heard()
  })
  return {
    end: () => child.kill(),
    text: () => text,
    async until(pattern: RegExp): Promise<string> {
      while (!pattern.test(text))
        await new Promise<void>((resolve) => {
          heard = resolve
        })
      return text
    },
  }
}

describe('conntrack on a running gateway', () => {
  test(...needsTun('flows of packets are listed, counted, changed and deleted'), async () => {
    const { gateway, run, answered } = await newControlLab()
    expect(run('conntrack -L')).toEqual({
      status: 0,
      stdout: '',
      stderr: `${BANNER}0 flow entries have been shown.\n`,
    })
    run(RULE)
    expect(answered()).toBe(true)
    expect(run('conntrack -C').stdout).toBe('1\n')
    const line =
      /^icmp {5}1 \d+ src=10\.0\.1\.2 dst=10\.0\.1\.1 type=8 code=0 id=\d+ src=10\.0\.1\.1 dst=10\.0\.1\.2 type=0/
    expect(run('conntrack -L -p icmp').stdout).toMatch(line)
    expect(await gateway.list()).toContain('ipv4     2 icmp     1 ')
    expect(run('conntrack -U -p icmp -s 10.0.1.2 -m 7').stderr).toBe(`${BANNER}1 flow entries have been updated.\n`)
    expect(run('conntrack -L -m 7').stdout).toContain(' mark=7 ')
    expect(run('conntrack -D -s 10.0.1.2')).toMatchObject({
      status: 0,
      stderr: `${BANNER}1 flow entries have been deleted.\n`,
    })
    expect(run('conntrack -D -s 10.0.1.2')).toMatchObject({ status: 1, stdout: '' })
    const made = '-s 10.0.1.2 -d 10.0.1.9 -p udp --sport 5 --dport 6'
    expect(run(`conntrack -I ${made} -t 100`).stderr).toBe(`${BANNER}1 flow entries have been created.\n`)
    expect(run(`conntrack -G ${made}`).stdout).toMatch(/^udp {6}17 (99|100) src=10\.0\.1\.2 .* use=2\n$/)
    const saved = run('conntrack -L -o save').stdout
    expect(run('conntrack -F').stderr).toBe(`${BANNER}connection tracking table has been emptied.\n`)
    expect(run('conntrack -R -', saved)).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(run('conntrack -L -o save').stdout.replace(/-t \d+/, '')).toBe(saved.replace(/-t \d+/, ''))
    expect(run('conntrack -S').stdout).toMatch(/^cpu=0 {3}\tfound=\d+ invalid=\d+ insert=3 /)
  })

  test(...needsTun('events are told while somebody watches, with who caused them'), async () => {
    const { run, answered, directory, env } = await newControlLab()
    run(RULE)
    const all = watching(directory, env)
    const made = '-s 10.0.1.2 -d 10.0.1.9 -p udp --sport 5 --dport 6'
    // The first event shows that it has begun to watch.
    for (let port = 100; all.text() === ''; port++) {
      run(`conntrack -I -s 10.0.1.2 -d 10.0.1.9 -p udp --sport ${port} --dport 6 -t 100`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const some = watching(directory, env, '-e', 'DESTROY', '-p', 'udp', '-o', 'extended')
    expect(answered()).toBe(true)
    await all.until(/^ {4}\[NEW\] icmp {5}1 30 src=10\.0\.1\.2 .* \[UNREPLIED\] [^\n]*\n/m)
    await all.until(
      /^ \[UPDATE\] icmp {5}1 30 src=10\.0\.1\.2 dst=10\.0\.1\.1 type=8 code=0 id=\d+ src=10\.0\.1\.1 [^\n]*\n/m,
    )
    while (some.text() === '') {
      run(`conntrack -I ${made} -t 100`)
      run('conntrack -D -p udp --sport 5')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await all.until(/^ {4}\[NEW\] udp {6}17 100 [^\n]* sport=5 [^\n]* \[USERSPACE\] portid=\d+ progname=conntrack\n/m)
    await all.until(/^\[DESTROY\] udp {6}17 \d+ [^\n]* sport=5 [^\n]* \[USERSPACE\] portid=\d+ progname=conntrack\n/m)
    expect(some.text()).toMatch(/^\[DESTROY\] ipv4 {5}2 udp {6}17 \d+ [^\n]* sport=5 [^\n]*\n/)
    expect(some.text()).not.toMatch(/NEW|UPDATE|icmp/)
    all.end()
    some.end()
  })
})
