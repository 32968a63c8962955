// conntrack's commands about expectations beside conntrack 1.4.7: the same packets through the kernel and the engine, and after
// them the same commands on both. What is printed, what is said and the exit status have to be the same; the order of
// expectations may differ, and the last second.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Fault } from '../../src/conntrack/command/fault.ts'
import { runConntrack } from '../../src/conntrack/command/run.ts'
import { protocolNumber } from '../../src/rule/names.ts'
import { KernelRig } from '../kernel/rig.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { bytesOf } from '../support/packets.ts'
import { EngineSubject } from '../support/scenario/engine.ts'

const CONFIG = {
  devices: {
    tun0: { addresses: ['10.0.1.1/24', '2001:db8:1::1/64'] },
    tun1: { addresses: ['203.0.113.1/24', '2001:db8:2::1/64'] },
  },
}
const RULES = `*raw
-A PREROUTING -p udp --dport 69 -j CT --helper tftp
-A PREROUTING -p udp --dport 70 -j CT --helper tftp --ctevents new
-A PREROUTING -p udp --dport 71 -j CT --helper tftp --expevents new
-A PREROUTING -p udp --dport 5060 -j CT --helper sip
COMMIT
`
const READ = 'hex 0001666f6f006f6374657400'
const udp = (from: string, to: string) => `udp ${from} > ${to} ${READ}`
const REGISTER = [
  ...['REGISTER sip:x SIP/2.0', 'Via: SIP/2.0/UDP 10.0.1.2:5060', 'CSeq: 1 REGISTER'],
  ...['Contact: <sip:a@10.0.1.2:5060>', 'Expires: 60', '', ''],
].join('\r\n')
const REGISTERED = 'SIP/2.0 200 OK\r\nCSeq: 1 REGISTER\r\nContact: <sip:a@10.0.1.2:5060>;expires=100\r\n\r\n'
const hex = (text: string) => `hex ${Buffer.from(text).toString('hex')}`
const ANNOUNCED: readonly (readonly [string, string])[] = [
  ['tun0', udp('10.0.1.2:1000', '203.0.113.9:69')],
  ['tun0', udp('10.0.1.2:1001', '203.0.113.9:70')],
  ['tun0', udp('10.0.1.2:1002', '203.0.113.9:71')],
  ['tun0', udp('[2001:db8:1::2]:1000', '[2001:db8:2::9]:69')],
  ['tun0', `udp 10.0.1.2:5060 > 203.0.113.9:5060 ${hex(REGISTER)}`],
]

const TUPLE = '-p udp -s 203.0.113.9 -d 10.0.1.2 --sport 7 --dport 1000 --reply-port-src 0 --reply-port-dst 0'
const MASTER = '-p udp -s 10.0.1.2 -d 203.0.113.9 --sport 1000 --dport 69 -t 100'
const MASKS = '--mask-src 255.255.255.255 --mask-dst 255.255.255.255 --mask-port-src 0 --mask-port-dst 65535'
const NEW = '--tuple-src 203.0.113.9 --tuple-dst 10.0.1.2 --tuple-port-src 5'
const COMMANDS = [
  ...['-L expect', '-L expect -f ipv4', '-L expect -f ipv6', '-L expect -o xml', '-L expect -f ipv6 -o xml'],
  ...['-L expect -o extended,id', '-L expect -o save', '-C expect', '-L', '-L -f ipv6 -o xml'],
  ...[`-G expect ${TUPLE}`, `-G expect ${TUPLE.replace('1000', '999')}`, `-G expect ${TUPLE} -o xml`],
  ...['-G expect -p udp -s 203.0.113.9 -d 10.0.1.2', '-G expect -p icmp -s 203.0.113.9 -d 10.0.1.2'],
  ...['-G expect', '-D expect', '-I expect', '-D expect -p udp', '-L expect -p udp', '-E expect -p udp'],
  ...['-E expect -e NEW', '-E expect -o nosuch', '-F expect -f ipv4', '-C expect -f ipv6', '-U expect', '-A expect'],
  `-G expect ${TUPLE.replace('203.0.113.9', '203.0.113.8')}`,
  `-G expect ${TUPLE} --tuple-port-src 3`,
  ...['-I expect -p udp -s 10.0.1.2 -d 203.0.113.9', `-I expect ${MASTER}`, `-I expect ${MASTER} ${NEW}`],
  `-I expect ${MASTER} ${NEW} ${MASKS}`,
  `-I expect ${MASTER} ${NEW} ${MASKS} --reply-port-src 7`,
  `-I expect ${MASTER.replace('1000', '999')} ${NEW} ${MASKS} --tuple-port-dst 300`,
  `-I expect ${MASTER} ${NEW} ${MASKS} --tuple-port-dst 300`,
  '-L expect',
  // The one that there was is the oldest, and gone: a master has one of tftp's.
  `-I expect ${MASTER} ${NEW} ${MASKS.replace('src 0', 'src 65535')} --tuple-port-dst 301`,
  '-L expect',
  // What fits the same packets as another master's.
  `-I expect ${MASTER} ${NEW} ${MASKS} --tuple-port-dst 1001`,
  '-L expect',
  `-D expect ${TUPLE.replace('1000', '300')}`,
  `-D expect ${TUPLE.replace('1000', '1002')}`,
  `-D expect ${TUPLE.replace('1000', '1002')}`,
  ...['-L expect', '-D -p udp --sport 1001 --dport 70', '-L expect', '-F expect', '-L expect', '-L expect -f ipv6'],
  '-C expect',
]

const settled = (text: string) =>
  text
    .replace(/^(\[\w+\] +)?\d+ (?=proto=)/gm, '$1N ')
    .replace(/^((?:ipv\d +\d+ )?\w+ +\d+ )\d+/gm, '$1N')
    .replace(/<timeout>\d+/g, '<timeout>N')
    .replace(/<id>\d+/g, '<id>N')
    .split('\n')
    .sort()
    .join('\n')

class Sides {
  readonly #rig: KernelRig
  readonly engine = new EngineSubject(CONFIG)

  constructor(rig: KernelRig) {
    this.#rig = rig
  }

  async load(): Promise<void> {
    // By itself Linux forgets what CT says of events where nobody listened when the rule was loaded (nf_conntrack_events = 2).
    await this.#rig.shellRun('echo 1 >/proc/sys/net/netfilter/nf_conntrack_events')
    for (const family of [4, 6] as const) {
      await this.#rig.load(RULES, family)
      this.engine.load(RULES, family)
    }
  }

  send(device: string, packet: string): void {
    this.#rig.exchange(device, [bytesOf(packet)], 1)
    this.engine.exchange(device, [bytesOf(packet)])
  }

  async there(words: string): Promise<string> {
    return settled(await this.#rig.shellRun(`{ conntrack ${words} </dev/null 2>&1; echo status $?; }`))
  }

  async here(words: string, until?: Promise<void>): Promise<string> {
    let said = ''
    const print = (text: string) => {
      said += text
    }
    const client = {
      gone: false,
      unread: 0,
      onGone: (listener: () => void) => void until?.then(listener),
      drained: () => Promise.resolve(),
      readInput: () => Promise.resolve(''),
      readFile: () => Promise.reject(new Error('no such file')),
      print,
      printError: print,
    }
    const environment = { protocolNumber, labels: () => undefined }
    let status: number
    try {
      status = await runConntrack(words.split(' '), this.engine.engine.flows.source, client, environment, 0)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      status = error.status
      said += error.stderr
    }
    return settled(`${said}status ${status}\n`)
  }

  /** Both listeners' lines of what happens meanwhile. */
  async events(words: string, run: () => void | Promise<void>): Promise<[string, string]> {
    const file = '/tmp/tunfilter-expect-events'
    await this.#rig.shellRun(`conntrack ${words} >${file}.$$ 2>&1 & listener=$!; sleep 0.4`)
    let end = () => {}
    const here = this.here(
      words,
      new Promise((resolve) => {
        end = resolve
      }),
    )
    await run()
    this.engine.engine.step()
    end()
    const there = await this.#rig.shellRun(
      `sleep 0.2; kill -INT $listener; wait $listener; cat ${file}.$$; rm ${file}.$$; echo status 0`,
    )
    return [settled(there), await here]
  }

  async close(): Promise<void> {
    this.engine.close()
    await this.#rig.close()
  }
}

describe('expectations', () => {
  let sides: Sides | undefined

  beforeAll(async () => {
    if (needsKernel('')[1].skip !== true) {
      sides = new Sides(await KernelRig.open(CONFIG))
      await sides.load()
    }
  })
  afterAll(() => sides?.close())

  test(...needsKernel('are told as they are made and as they end'), async () => {
    const [there, here] = await sides!.events('-E expect', () => {
      for (const [device, packet] of ANNOUNCED) sides!.send(device, packet)
      sides!.send('tun1', 'udp 203.0.113.9:3000 > 10.0.1.2:1000 hex 00030001')
      sides!.send('tun0', udp('10.0.1.2:1000', '203.0.113.9:69'))
      sides!.send('tun0', udp('10.0.1.2:1000', '203.0.113.9:69'))
    })
    expect(here).toBe(there)
    expect(here).toContain('[DESTROY]')
  })

  test(...needsKernel('are listed, got, made and deleted by the same commands'), async () => {
    const there: string[] = []
    const here: string[] = []
    for (const command of COMMANDS) {
      there.push(`${command}\n${await sides!.there(command)}`)
      here.push(`${command}\n${await sides!.here(command)}`)
      if (command === '-C expect') sides!.send('tun1', `udp 203.0.113.9:5060 > 10.0.1.2:5060 ${hex(REGISTERED)}`)
    }
    expect(here).toEqual(there)
  })
})
