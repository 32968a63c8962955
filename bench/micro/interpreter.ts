// What one rule that does not match costs in the interpreter, by what it looks at. A chain of 100 equal rules under a
// policy is walked by one packet; the cost of one rule is the walk's by 100.

import { MemoryDevice } from '../../src/device/memory.ts'
import { Engine } from '../../src/engine.ts'
import { FORWARD } from '../../src/hook/hook.ts'
import { Packet } from '../../src/packet/packet.ts'
import { parse4 } from '../../src/packet/parse.ts'
import { Interpreter } from '../../src/rule/interpreter.ts'
import { flow, LENGTH, writePacket } from '../packets.ts'
import { CONFIG } from '../path/config.ts'
import type { Case } from './case.ts'

const RULES = 100
const WALKS = 10

const KINDS: readonly (readonly [string, string])[] = [
  ['an address', '-s 192.168.7.0/24 -j DROP'],
  ['a device', '-o none -j DROP'],
  ['-p tcp --dport', '-p tcp -m tcp --dport 22 -j DROP'],
  ['-p udp --dport', '-p udp -m udp --dport 22 -j DROP'],
  ['-p udp, multiport', '-p udp -m multiport --dports 22,80,443,8080 -j DROP'],
  ['a conntrack state', '-m conntrack --ctstate ESTABLISHED -j DROP'],
  ['a mark', '-m mark --mark 0x7 -j DROP'],
]

export function interpreterCases(): Case[] {
  return KINDS.map(([where, rule]) => {
    const names = ['lan', 'wan']
    const engine = Engine.open({
      config: CONFIG,
      devices: new Map(names.map((name) => [name, new MemoryDevice(name)])),
    })
    engine.load(`*filter\n:FORWARD ACCEPT [0:0]\n${`-A FORWARD ${rule}\n`.repeat(RULES)}COMMIT\n`)
    const p = new Packet(engine.slab)
    const start = engine.slab.take()
    writePacket(engine.slab.view, start, flow(0))
    p.begin(start, LENGTH, engine.links.byName('lan')!.index)
    parse4(p)
    p.outLink = engine.links.byName('wan')!.index
    const interpreter = new Interpreter()
    const chain = engine.program.base('filter', FORWARD)!
    const { entries } = engine.program
    const run = () => {
      let sum = 0
      for (let i = 0; i < WALKS; i++) sum += interpreter.run(chain, entries, p, FORWARD)
      return sum
    }
    return { what: 'rule that does not match', where, operations: RULES * WALKS, run }
  })
}
