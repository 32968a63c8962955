// `ipset -resolve`: names of hosts instead of addresses, as the real ipset prints them with the same /etc/hosts; and nobody but the
// command that asked waits for a name.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HostNames, namesIn } from '../../src/control/host-names.ts'
import { IpsetProgram, type SetsStep } from '../../src/control/ipset.ts'
import type { Conversation } from '../../src/control/program.ts'
import { SetSteps } from '../../src/gateway/set-steps.ts'
import type { SetStore } from '../../src/ipset/store.ts'
import { needsIpset } from './real-ipset.ts'
import { newStore, run } from './sets.ts'

const HOSTS = `# names of hosts
127.0.0.1 localhost
10.0.0.1 one.example one   # a comment
10.0.0.3\tthree.example
10.0.0.5 10host
10.0.0.6 one.example
10.0.0.1 later.example
9.0.0.7 Zed.example
10.1.0.0 net.example
192.0.2.1 aaa.example
2001:DB8:0::1 six.example
2001:db8::3 A.example
10.0.0.9 dash-name.example
nonsense
`

const SETS = `create a hash:ip counters
${[1, 2, 3, 5, 6, 9].map((i) => `add a 10.0.0.${i}`).join('\n')}
add a 9.0.0.7
add a 9.0.0.1
add a 192.0.2.1
add a 100.0.0.1
create b hash:net timeout 0
add b 10.0.0.1
add b 10.1.0.0/24
add b 10.0.0.0/8 nomatch
create c hash:ip,port
add c 10.0.0.1,80
add c 10.0.0.2,udp:53
create d hash:ip,port,ip
add d 10.0.0.1,80,10.0.0.3
create e hash:ip,port,net
add e 10.0.0.1,80,10.0.0.3
add e 9.0.0.1,gre:0,10.0.0.1
add e 10.0.0.1,80,10.1.0.0/16
create f hash:net,port
add f 10.1.0.0/16,80
create g hash:net,iface
add g 10.1.0.0/16,eth0
create h bitmap:ip range 10.0.0.0-10.0.0.255
add h 10.0.0.1-10.0.0.3
create i bitmap:ip,mac range 10.0.0.0-10.0.0.255
add i 10.0.0.1
add i 10.0.0.2,1:2:3:4:5:6
create j bitmap:port range 0-100
add j 80
create l hash:ip family inet6
add l 2001:db8::1
add l 2001:db8::2
add l 2001:db8::3
create m hash:net family inet6
add m 2001:db8::1
add m 2001:db8::/32
create n hash:ip netmask 24
add n 10.1.0.5
create k list:set
add k a
`

let folder = ''
let hosts = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'names-'))
  hosts = join(folder, 'hosts')
  writeFileSync(hosts, HOSTS)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

class Client implements Conversation {
  readonly gone = false
  readonly unread = 0
  printed = ''
  readonly #input: string

  constructor(input = '') {
    this.#input = input
  }

  onGone(): void {}
  async readInput(): Promise<string> {
    return this.#input
  }
  async readFile(): Promise<string> {
    return ''
  }
  async readSome(): Promise<string | undefined> {
    return undefined
  }
  writeTo(): void {}
  print(text: string): void {
    this.printed += text
  }
  printError(text: string): void {
    this.printed += text
  }
  async drained(): Promise<void> {}
}

function programOn(store: SetStore, hostNames: () => HostNames): IpsetProgram {
  const steps = new SetSteps(store)
  const plane = { sets: async (step: SetsStep) => structuredClone(steps.do(structuredClone(step))) }
  return new IpsetProgram(steps.families ?? [], plane, () => {}, hostNames)
}

async function said(program: IpsetProgram, argv: readonly string[], input = ''): Promise<string> {
  const client = new Client(input)
  await program.run('ipset', argv, client)
  return client.printed
}

const comparable = (text: string) => text.replace(/initval[ >]0x[0-9a-f]{8}|(?:memsize>|memory: )\d+/g, 'X')

describe('ipset -resolve', () => {
  test(...needsIpset('prints what the real one prints with the same /etc/hosts'), async () => {
    const asked = [
      ['-r', '-s', 'list'],
      ['-resolve', 'save', '-s'],
      ['--resolve', 'list', 'a', '-s', '-o', 'xml'],
      ['-r', 'list', 'a', '-t'],
      ['-r', 'list', '-n'],
      ['-r', 'test', 'a', '10.0.0.1'],
      ['-r', 'list', 'h'],
    ]
    const script = ['mount --make-rprivate /', `mount --bind ${hosts} /etc/hosts`, `ipset restore <<'E'\n${SETS}E`]
    for (const argv of asked) script.push(`ipset ${argv.join(' ')} 2>&1; printf '\\036'`)
    const real = spawnSync('unshare', ['-n', '-m', 'sh'], { input: script.join('\n'), encoding: 'utf8' })
    const theirs = real.stdout.split('\x1e')
    expect(real.stderr).toBe('')
    const program = programOn(newStore(), () => new HostNames({ hosts, reverse: async () => [] }))
    expect(await said(program, ['restore'], SETS)).toBe('')
    for (const [i, argv] of asked.entries())
      expect(comparable(await said(program, argv)), argv.join(' ')).toBe(comparable(theirs[i]!))
  })

  test('asks the name servers for what /etc/hosts does not name, each address once', async () => {
    const store = newStore()
    run(store, 'create s hash:ip,port,ip', 'add s 10.0.0.1,80,10.0.0.2', 'add s 10.0.0.2,80,10.0.0.4')
    const asked: string[] = []
    const reverse = async (address: string) => {
      asked.push(address)
      if (address === '10.0.0.4') throw new Error('ENOTFOUND')
      return ['two.example', 'second.example']
    }
    const program = programOn(store, () => new HostNames({ hosts, reverse }))
    expect(await said(program, ['-r', '-s', 'list', 's'])).toMatch(
      /Members:\none\.example,tcp:80,two\.example\ntwo\.example,tcp:80,10\.0\.0\.4\n$/,
    )
    expect(asked.toSorted()).toEqual(['10.0.0.2', '10.0.0.4'])
  })

  test('others go on while names are waited for', async () => {
    const store = newStore()
    run(store, 'create s hash:ip', 'add s 10.0.0.1', 'add s 10.0.0.2')
    const waiting: ((names: string[]) => void)[] = []
    const reverse = () => new Promise<string[]>((resolve) => waiting.push(resolve))
    const program = programOn(store, () => new HostNames({ hosts, reverse, commandMs: 600_000 }))
    const slow = said(program, ['-r', '-s', 'list', 's'])
    while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(await said(program, ['add', 's', '10.0.0.3'])).toBe('')
    waiting[0]!(['two.example'])
    expect(await slow).toMatch(/Members:\n10\.0\.0\.3\none\.example\ntwo\.example\n$/)
  })

  test('ends with the addresses where no name server answers', async () => {
    const store = newStore()
    run(store, 'create s hash:ip', 'add s 10.0.0.1', 'add s 10.0.0.2')
    const reverse = () => new Promise<string[]>(() => {})
    const program = programOn(store, () => new HostNames({ hosts, reverse, commandMs: 20 }))
    expect(await said(program, ['-r', '-s', 'list', 's'])).toMatch(/Members:\n10\.0\.0\.2\none\.example\n$/)
  })

  test('has many members in the order of what is printed', async () => {
    const store = newStore()
    run(store, 'create s hash:ip', 'add s 10.0.0.0/18')
    const reverse = async (address: string) => (address.endsWith('7') ? [`h${address}`] : [])
    const program = programOn(store, () => new HostNames({ hosts, reverse }))
    const lines = (await said(program, ['-r', '-s', 'save', 's'])).trimEnd().split('\n').slice(1)
    expect(lines).toHaveLength(16384)
    expect(lines).toEqual(lines.toSorted())
    expect(lines).toContain('add s h10.0.3.7')
    expect(lines).toContain('add s one.example')
  })

  test('without anyone to ask prints addresses', () => {
    const store = newStore()
    run(store, 'create s hash:ip', 'add s 10.0.0.1')
    expect(run(store, '-r save s')).toContain('add s 10.0.0.1\n')
  })

  test('reads a hosts file as the resolver does', () => {
    const names = namesIn(HOSTS)
    expect(names.get('10.0.0.1')).toBe('one.example')
    expect(names.get('2001:db8::1')).toBe('six.example')
    expect(names.size).toBe(11)
  })
})
