// What a packet costs under a rule set: established and new flows, through the whole engine in memory. One process a rule set; they
// take turns.

import { FloodDevice } from '../../src/cost/flood.ts'
import { Engine } from '../../src/engine.ts'
import { figure, median, say } from '../figure.ts'
import { LENGTH, shuffled, TRAFFIC4 } from '../packets.ts'
import type { Options, Turns } from '../part.ts'
import { CONFIG } from '../path/config.ts'
import { blockList, kubeProxy } from './sets.ts'

const OURS = { who: 'tunfilter' }
const FLOWS = 10_000
/** New flows of one round; after it they are let go of. */
const FRESH = 50_000
const HOUR = 3600

export const ESTABLISHED = 'established NAT flow, 10,000 flows'
export const NEW = "a new flow's packet"

export interface RulesPath {
  /** `100 rules`, `kube-proxy, 10,000 services`, ... */
  readonly where: string
  readonly rules: number
  readonly services?: number
  /** One by one, to see what the index and what is remembered bring. */
  readonly interpreted?: boolean
}

export function rulesPath({ where, rules, services, interpreted = false }: RulesPath, { quick }: Options): Turns {
  say(`rules: ${where}`)
  const text = services === undefined ? blockList(rules) : kubeProxy(services)
  const rounds = quick ? 3 : 7
  const packets = interpreted && rules > 1000 ? 20_000 : quick ? 300_000 : 1_000_000
  const established = open(text, FLOWS, interpreted)
  const order = shuffled(FLOWS)
  established.lan.prepare(
    FLOWS,
    () => LENGTH,
    (view, at, i) => TRAFFIC4.write(view, at, order[i % FLOWS]),
  )
  established.wan.prepare(
    FLOWS,
    () => LENGTH,
    (view, at, i) => TRAFFIC4.writeReply(view, at, order[i % FLOWS]),
  )
  run(established, 'lan', FLOWS)
  run(established, 'wan', FLOWS)
  if (established.engine.conntrack.flows.count !== FLOWS)
    throw new Error(`bench/rules: not all flows were made: ${where}`)
  run(established, 'lan', packets)
  const costs: number[] = []

  const fresh = open(text, FRESH * 2, interpreted)
  const news: number[] = []
  const few = interpreted && rules > 1000 ? 5000 : FRESH
  let begun = 0
  const makeNew = () => {
    const first = begun++ * FRESH
    fresh.lan.prepare(
      few,
      () => LENGTH,
      (view, at, i) => TRAFFIC4.write(view, at, first + i),
    )
    const cost = run(fresh, 'lan', few)
    const { flows } = fresh.engine.conntrack
    if (flows.count !== few) throw new Error(`bench/rules: ${flows.count} new flows of ${few}: ${where}`)
    for (let ct = 0; ct < flows.used; ct++) if (flows.inUse(ct)) fresh.engine.conntrack.kill(ct)
    return cost
  }
  makeNew()

  const how = interpreted ? `${where}, one by one` : where
  // kube-proxy's rules are others: they are no point of the same line.
  const at = services === undefined ? rules : undefined
  return {
    rounds,
    round: () => {
      costs.push(run(established, 'lan', packets))
      news.push(makeNew())
    },
    finish: () => {
      established.engine.close()
      fresh.engine.close()
      say(`  ${how}: established ${median(costs).toFixed(0)} ns, new ${median(news).toFixed(0)} ns`)
      return {
        figures: [
          figure(ESTABLISHED, how, 'ns a packet', costs, { ...OURS, at }),
          figure(NEW, how, 'ns a packet', news, { ...OURS, at }),
        ],
        targets: [],
        skipped: [],
      }
    },
  }
}

function open(text: string, flows: number, interpretRules: boolean) {
  const lan = new FloodDevice('lan')
  const wan = new FloodDevice('wan')
  const engine = Engine.open({
    config: {
      ...CONFIG,
      sysctl: {
        'net.netfilter.nf_conntrack_max': Math.ceil(flows * 1.06),
        'net.netfilter.nf_conntrack_udp_timeout': HOUR,
        'net.netfilter.nf_conntrack_udp_timeout_stream': HOUR,
      },
    },
    devices: new Map([
      ['lan', lan],
      ['wan', wan],
    ]),
    interpretRules,
  })
  engine.load(text)
  return { engine, lan, wan }
}

/** Nanoseconds a packet. */
function run({ engine, ...devices }: ReturnType<typeof open>, from: 'lan' | 'wan', packets: number): number {
  const device = devices[from]
  device.allow(packets)
  const begin = performance.now()
  while (device.left > 0) engine.step()
  return ((performance.now() - begin) * 1e6) / packets
}
