// The index never passes a rule over that can match, in either family, whatever rules fix.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseRestore } from '../../src/iptables/restore.ts'
import { Packet } from '../../src/packet/packet.ts'
import { Slab } from '../../src/packet/slab.ts'
import { ChainIndex, END, LISTS_MAX } from '../../src/rule/chain-index.ts'
import { matches } from '../../src/rule/interpreter.ts'
import type { Family } from '../../src/rule/model.ts'
import { surrounding } from '../match/rule-under-test.ts'
import { entriesOf, madeReady } from './rules.ts'
import '../support/seed.ts'

const { constantFrom: one, tuple, array, record, oneof } = fc
const links = ['', 'lo', 'tun0', 'tun1']
const env = { ...surrounding().env, links: { size: 4, name: (i: number) => links[i] ?? '' } } as never

const ADDRESSES: Record<Family, readonly string[]> = {
  4: ['10.0.0.1', '10.0.0.2', '10.1.0.1', '192.0.2.1', '255.255.255.255'],
  6: ['2001:db8::1', '2001:db8::2', '2001:db8:0:1::1', '2001:db8:1::', 'fe80::1', 'ffff:ffff:ffff:ffff::1'],
}
const LENGTHS: Record<Family, readonly number[]> = { 4: [0, 1, 8, 24, 32], 6: [0, 16, 32, 48, 64, 65, 127, 128] }
const words = (...parts: fc.Arbitrary<string>[]) =>
  tuple(...parts).map((list) => list.filter((w) => w !== '').join(' '))

function rules(family: Family): fc.Arbitrary<string> {
  const network = tuple(one('', '', '', '! '), one('-s', '-d'), one(...ADDRESSES[family]), one(...LENGTHS[family])).map(
    ([not, option, address, length]) => `${not}${option} ${address}/${length}`,
  )
  const source = network.map((text) => text.replace('-d', '-s'))
  const destination = network.map((text) => text.replace('-s', '-d'))
  const port = one('1', '2', '2:3', '0:9', '1024:', ':65535', '1000:1023')
  return words(
    oneof(one(''), source),
    oneof(one(''), destination),
    oneof(one(''), one('-i tun0', '! -i tun0', '-i tun+', '-i nosuch', '-o tun1')),
    oneof(
      one('', '-p tcp', '-p udp', '! -p tcp', '-p 47'),
      tuple(one('tcp', 'udp'), one('', '! '), one('sport', 'dport'), port).map(([l, n, w, p]) =>
        p === ':65535' ? `-p ${l}` : `-p ${l} -m ${l} ${n}--${w} ${p}`,
      ),
      tuple(one('', '! '), one('dports', 'sports', 'ports'), one('1,2,3', '1,1000:1023', '9')).map(
        ([n, w, p]) => `-p udp -m multiport ${n}--${w} ${p}`,
      ),
    ),
    oneof(
      one(''),
      one('-m mark --mark 1', '-m mark --mark 2/3', '-m mark ! --mark 1', '-m state --state NEW,ESTABLISHED'),
    ),
  )
}

const packets = record({
  source: fc.nat(5),
  destination: fc.nat(5),
  sport: one(0, 1, 2, 3, 1001, 1024, 65535),
  dport: one(0, 1, 2, 3, 9, 1001, 65535),
  protocol: one(6, 17, 47),
  mark: one(0, 1, 2, 6),
  ctinfo: fc.nat(4),
  inLink: one(2, 3),
  outLink: one(2, 3),
})

test.each([4, 6] as const)('IPv%d', (family) => {
  const network = (text: string) =>
    parseRestore(`*filter\n-A FORWARD -s ${text}\nCOMMIT\n`, { file: 'r', family })
      .tables.get('filter')!
      .chains.get('FORWARD')!.rules[0]!.source!.value.address
  const addresses = ADDRESSES[family].map(network)
  const p = new Packet(new Slab(1))
  let matched = 0
  let passedOver = 0
  fc.assert(
    fc.property(
      array(tuple(rules(family), one(1, 1, 7)), { minLength: 5, maxLength: 60 }),
      array(packets, { minLength: 10, maxLength: 30 }),
      (lines, several) => {
        const all = lines.flatMap(([line, times]) => Array<string>(times).fill(line))
        const text = `*filter\n${all.map((line) => `-A FORWARD ${line}\n`).join('')}COMMIT\n`
        const program = madeReady(parseRestore(text, { file: 'r', family }), env)
        const entries = entriesOf(program.base('filter', 2)!)
        const making = ChainIndex.make(program.entries, Int32Array.from(entries), entries.length, family)
        let step = making.next()
        while (step.done !== true) step = making.next()
        const index = step.value
        for (const { source, destination, ...fields } of several) {
          p.begin(64, 40, 2)
          Object.assign(p, { family, transport: 104, ...fields })
          const [from, to] = [source, destination].map((i) => addresses[i % addresses.length]!)
          ;[p.source, p.source1, p.source2, p.source3] = [...from!, 0, 0, 0] as [number, number, number, number]
          ;[p.destination, p.destination1, p.destination2, p.destination3] = [...to!, 0, 0, 0] as [
            number,
            number,
            number,
            number,
          ]
          const into = new Int32Array(LISTS_MAX)
          const end = index.lookUp(p, into, 0)
          const found = new Set<number>()
          for (const begin of into.subarray(0, end)) {
            let before = -1
            for (let at = begin; index.lists[at] !== END; at++) {
              expect(index.lists[at]).toBeGreaterThan(before)
              before = index.lists[at]!
              found.add(before)
            }
          }
          entries.forEach((entry, place) => {
            if (matches(program.entries, entry, p) === 0) {
              if (!found.has(place)) passedOver++
              return
            }
            matched++
            if (!found.has(place)) throw new Error(`passed over: ${all[place]}`)
          })
        }
      },
    ),
    { numRuns: 200, endOnFailure: true },
  )
  expect(matched).toBeGreaterThan(5000)
  expect(passedOver).toBeGreaterThan(50_000)
})
