// Where a packet's time goes: a rule set in an engine of its own, with a stop-watch at every step of the hooks and, by rules that
// match nothing, at the beginning of every chain and behind every jump. Such rules stand in nobody's way: what was decided for a flow
// is remembered with them as without, and a packet on a known way comes to no hook.

import { HOOK_NAMES } from '../hook/hook.ts'
import type { Step, Watch } from '../hook/way.ts'
import type { Packet } from '../packet/packet.ts'
import { defineMatch } from '../rule/define.ts'
import { type MatchUse, NO_COUNTERS, type RuleSet } from '../rule/model.ts'
import { u32 } from '../rule/option.ts'
import { type ChainAt, eachHooksOwn } from './copied.ts'
import type { Arrival } from './establish.ts'
import { Lane, type LaneOptions } from './lane.ts'
import { ELSEWHERE, Laps } from './laps.ts'
import { type Ran, ROUND_PACKETS, type Runner, WARM_UP } from './rounds.ts'
import type { Flow } from './traffic.ts'

/** Of one packet, on average of all packets: what was spent at one place. Undefined where there were no such packets. */
export interface Spent {
  readonly new: number | undefined
  readonly established: number | undefined
}

export interface TimedStep {
  readonly hook: string
  /** `conntrack`, `nat`, ...: what is no table. */
  readonly step: string
  readonly spent: Spent
}

export interface TimedChain extends ChainAt {
  readonly spent: Spent
}

/** Nanoseconds of packets that ran, by place. */
interface Round {
  readonly spent: Float64Array
  readonly packets: number
}

export class Timed implements Runner {
  readonly #laps = new Laps()
  readonly #chains: { readonly at: ChainAt; readonly place: number }[] = []
  readonly #steps: { readonly hook: string; readonly step: string; readonly place: number }[] = []
  readonly #lane: Lane
  /** New flows' rounds, then established ones'. */
  readonly #phases: Round[][] = []
  /** That ran since the last round ended. */
  #packets = 0

  constructor(rules: RuleSet, options: Omit<LaneOptions, 'rules'>) {
    this.#lane = new Lane({ ...options, rules: this.#timed(rules), watch: this.#watch() })
  }

  #timed(ruleSet: RuleSet): RuleSet {
    const lap = defineMatch({
      name: 'lap',
      summary: 'time runs for this place from here on; matches no packet',
      options: { place: u32().required() },
      looks: 'flow',
      match: ({ place }) => {
        const laps = this.#laps
        return () => {
          laps.halt()
          laps.go(place)
          return 0
        }
      },
    })
    return eachHooksOwn(ruleSet, (at, rules) => {
      const place = this.#laps.add()
      this.#chains.push({ at, place })
      const use = { declaration: lap, options: { place } } as unknown as MatchUse
      const mark = { matches: [use], counters: NO_COUNTERS }
      const jumps = (i: number) => rules[i].action?.kind === 'jump'
      return [mark, ...rules.flatMap((rule, i) => (jumps(i) ? [rule, mark] : [rule]))]
    })
  }

  /** Steps may be inside one another: REJECT sends a packet that goes through OUTPUT. */
  #watch(): Watch {
    const places = HOOK_NAMES.map(() => new Map<string, number>())
    const outer: number[] = []
    const laps = this.#laps
    const placeOf = (hook: number, { name }: Step): number => {
      let place = places[hook].get(name)
      if (place === undefined) {
        place = this.#laps.add()
        places[hook].set(name, place)
        this.#steps.push({ hook: HOOK_NAMES[hook], step: name, place })
      }
      return place
    }
    return {
      enter: (_: Packet, hook, step) => {
        outer.push(laps.halt())
        laps.go(placeOf(hook, step))
      },
      leave: () => {
        laps.halt()
        laps.go(outer.pop() ?? ELSEWHERE)
      },
    }
  }

  // ── as every runner ─────────────────────────────────────────────────────────────────────────────────────────────────

  establish(flows: readonly Flow[]): readonly Arrival[] {
    return this.#lane.establish(flows)
  }

  play(arrivals: readonly Arrival[]): void {
    this.#lane.play(arrivals)
  }

  prepare(arrivals: readonly Arrival[]): void {
    this.#phases.push([])
    this.#laps.take()
    this.#packets = 0
    this.#lane.prepare(arrivals)
  }

  run(times: number): Ran {
    this.#laps.go(ELSEWHERE)
    const ran = this.#lane.run(times)
    this.#laps.halt()
    this.#packets += ran.packets
    if (this.#packets >= ROUND_PACKETS) {
      this.#phases.at(-1)?.push({ spent: this.#laps.take(), packets: this.#packets })
      this.#packets = 0
    }
    return ran
  }

  clear(): boolean {
    return this.#lane.clear()
  }

  close(): void {
    this.#lane.close()
  }

  // ── what was found ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Chains in which no time was spent are left out. */
  chains(): TimedChain[] {
    return this.#chains.flatMap(({ at, place }) => {
      // What a table does around its rules, remembering what they decided, is its first chain's.
      const table = at.chain === at.hook ? this.#placeOf(at.hook, at.table) : undefined
      const spent = this.#spent(table === undefined || at.table === 'nat' ? [place] : [place, table])
      return spent.new || spent.established ? [{ ...at, spent }] : []
    })
  }

  steps(): TimedStep[] {
    const tables = new Set(this.#chains.map(({ at }) => at.table).filter((table) => table !== 'nat'))
    return this.#steps
      .filter(({ step }) => !tables.has(step))
      .map(({ hook, step, place }) => ({ hook, step, spent: this.#spent([place]) }))
  }

  /** Receiving, parsing, routing and sending. */
  elsewhere(): Spent {
    return this.#spent([ELSEWHERE])
  }

  #placeOf(hook: string, step: string): number | undefined {
    return this.#steps.find((one) => one.hook === hook && one.step === step)?.place
  }

  #spent(places: readonly number[]): Spent {
    const [fresh, known] = this.#phases.map((rounds) => {
      const costs = rounds
        .slice(WARM_UP)
        .map(({ spent, packets }) => places.reduce((sum, place) => sum + (spent[place] ?? 0), 0) / packets)
        .sort((a, b) => a - b)
      return costs.length === 0 ? undefined : Math.round(costs[costs.length >> 1] * 10) / 10
    })
    return { new: fresh, established: known }
  }
}
