// One match or target by the text of a rule, ready for packets, in surroundings that a test lays out.

import { FlowTable } from '../../src/conntrack/flows.ts'
import { Templates } from '../../src/conntrack/template.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { Packet } from '../../src/packet/packet.ts'
import { PARSED, parse4 } from '../../src/packet/parse.ts'
import { Slab } from '../../src/packet/slab.ts'
import type { MatchFunction, Surroundings, TargetFunction } from '../../src/rule/define.ts'
import type { Environment } from '../../src/rule/environment.ts'
import type { Rule, TableName } from '../../src/rule/model.ts'
import { Shared } from '../../src/rule/shared.ts'
import { Time } from '../../src/time.ts'

const slab = new Slab(4)

export interface Surrounding {
  readonly env: Environment
  readonly time: Time
  readonly flows: FlowTable
  /** What was called, as `NAME(arguments)`, and lines logged as `LEVEL LINE`. */
  readonly calls: string[]
  /** Types of addresses by `ADDRESS@LINK`, else 1. */
  readonly types: Map<string, number>
}

/** Real time and flow table; the router's answers and routing are recorded. Devices are tun0 (2) and tun1 (3). */
export function surrounding(): Surrounding {
  const time = new Time()
  const flows = new FlowTable(16, 1)
  const calls: string[] = []
  const types = new Map<string, number>()
  const told =
    (name: string, result: number) =>
    (_p: Packet, ...rest: unknown[]) => {
      calls.push(`${name}(${rest.map((part) => JSON.stringify(part)).join(' ')})`)
      return result
    }
  const env = {
    time,
    random: () => 4,
    links: { name: (index: number) => ['', 'lo', 'tun0', 'tun1'][index] },
    routing: { addressType: (address: number, link: number) => types.get(`${address}@${link}`) ?? 1 },
    conntrack: {
      flows,
      untrack: told('untrack', 0),
      templates: new Templates(),
    },
    nat: { setup: told('setup', 1), masquerade: told('masquerade', 1), redirect: told('redirect', 1) },
    local: { reject: told('reject', 0), reset: told('reset', 0) },
    log: (level: number, line: string) => calls.push(`${level} ${line}`),
    shared: new Shared(),
  } as unknown as Environment
  return { env, time, flows, calls, types }
}

function ruleOf(text: string, table: TableName): Rule {
  const rules = parseRestore(`*${table}\n${text}\nCOMMIT\n`, { file: 'rule', family: 4 })
  for (const chain of rules.tables.get(table)?.chains.values() ?? []) if (chain.rules.length > 0) return chain.rules[0]
  throw new Error(`no rule in ${text}`)
}

const AROUND: Surroundings = { family: 4, table: 'filter', chain: 'FORWARD' }

/** The last match of a rule in FORWARD of table filter. */
export function matchOf(text: string, env = surrounding().env): MatchFunction {
  const use = ruleOf(`-A FORWARD ${text}`, 'filter').matches.at(-1)
  if (use === undefined) throw new Error(`no match in ${text}`)
  return use.declaration.match(use.options, env, AROUND)
}

/** The target of a rule. */
export function targetOf(text: string, env: Environment, table: TableName = 'filter'): TargetFunction {
  const { action } = ruleOf(text, table)
  if (action?.kind !== 'target') throw new Error(`no target in ${text}`)
  return action.declaration.target(action.options, env, { ...AROUND, table })
}

/** A packet that came in on tun0 and goes out on tun1, as parsed; `length` cuts it off, with its total length. */
export function packetOf(bytes: Uint8Array, length = bytes.length): Packet {
  const p = new Packet(slab)
  const start = 64
  slab.bytes.fill(0xee, start, start + 4096)
  slab.bytes.set(bytes.subarray(0, length), start)
  p.begin(start, length, 2)
  if (length !== bytes.length) {
    const view = slab.view
    view.setUint16(start + 2, length)
    view.setUint16(start + 10, 0)
    let sum = 0
    for (let at = 0; at < (bytes[0] & 15) * 4; at += 2) sum += view.getUint16(start + at)
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
    view.setUint16(start + 10, ~sum & 0xffff)
  }
  if (parse4(p) !== PARSED) throw new Error('the packet does not parse')
  p.outLink = 3
  return p
}
