// The parts, in the order in which a run of everything takes them.

import type { Line, Point } from '../src/cost/plot.ts'
import type { Figure } from './figure.ts'
import type { Named, Part } from './part.ts'
import { KERNEL_LEGACY, KERNEL_NFT } from './path/chains.ts'
import type { FlowsTask } from './path/flows.ts'
import { FLOOD, MEDIAN, ROUND_TRIP } from './path/measure.ts'
import { ESTABLISHED as IN_MEMORY, type MemoryTask } from './path/memory.ts'
import { ESTABLISHED, NEW, type RulesPath } from './rules/path.ts'
import { rulesTargets } from './rules/targets.ts'

const micro: Part = {
  name: 'micro',
  tasks: () => [{}],
  measure: async (_, { quick }) => (await import('./micro/micro.ts')).micro(quick),
}

const memory: Part<MemoryTask> = {
  name: 'memory',
  tasks: ({ quick }) => [
    { flows: 1 },
    ...(quick ? [] : [{ flows: 100 }, { flows: 1000 }]),
    { flows: 10_000 },
    ...(quick ? [] : [{ flows: 100_000 }]),
    { flows: 1_000_000 },
    ...(quick ? [] : [{ flows: 1_000_000, hugePages: true }, { flows: 4_000_000 }]),
    { flows: 10_000, family: 6 },
    ...(quick
      ? []
      : ([
          { flows: 1_000_000, family: 6 },
          { flows: 1_000_000, tcp: true },
        ] as const)),
  ],
  measure: async (task, options) => (await import('./path/memory.ts')).memory(task, options),
  // A young generation that does not shrink: what a round allocates shows as growth, not as a collection.
  nodeOptions: () => ['--min-semi-space-size=16'],
  plots: (figures) => [
    {
      name: 'flows',
      plot: {
        title: 'An established NAT flow’s packet against the number of flows',
        x: { label: 'flows, in random order', log: true },
        y: { label: 'ns a packet, in memory' },
        lines: [
          { name: 'IPv4', points: against(figures, (f) => f.what === IN_MEMORY && !/IPv6|TCP/.test(f.where)) },
          { name: 'IPv6', points: against(figures, (f) => f.what === IN_MEMORY && f.where.includes('IPv6')) },
        ],
      },
    },
  ],
}

const flows: Part<FlowsTask> = {
  name: 'flows',
  tasks: ({ quick }) =>
    quick ? [{ flows: 1_000_000 }] : [{ flows: 10_000 }, { flows: 1_000_000 }, { flows: 4_000_000 }],
  measure: async (task) => (await import('./path/flows.ts')).flows(task),
}

type RulesTask = RulesPath | 'change' | 'load' | 'pause'

const rules: Part<RulesTask> = {
  name: 'rules',
  tasks: ({ quick }) => [
    { where: 'no other rules', rules: 0 },
    { where: '100 rules', rules: 100 },
    ...(quick ? [] : [{ where: '1,000 rules', rules: 1000 }]),
    { where: '10,000 rules', rules: 10_000 },
    { where: '100,000 rules', rules: 100_000 },
    { where: 'kube-proxy, 10,000 services', rules: 0, services: 10_000 },
    { where: '100 rules', rules: 100, interpreted: true },
    { where: '10,000 rules', rules: 10_000, interpreted: true },
    'change',
    'load',
    'pause',
  ],
  measure: async (task, options) => {
    if (task === 'change') return (await import('./rules/change.ts')).rulesChange(options.quick)
    if (task === 'pause') return (await import('./rules/pause.ts')).rulesPause(options.quick)
    if (task === 'load') return (await import('./rules/load.ts')).rulesLoad(options.quick)
    return (await import('./rules/path.ts')).rulesPath(task, options)
  },
  // The worker that handles packets has so small a young generation (gateway/up.ts).
  nodeOptions: (task) => (task === 'change' ? ['--max-semi-space-size=2'] : []),
  targets: rulesTargets,
  plots: (figures) => {
    const line = (what: string, oneByOne: boolean): Point[] =>
      against(figures, (f) => f.what === what && f.where.includes('one by one') === oneByOne)
    return [
      {
        name: 'rules',
        plot: {
          title: 'A packet against the number of rules that do not match',
          x: { label: 'rules', log: true },
          y: { label: 'ns a packet, in memory', log: true },
          lines: [
            { name: 'established', points: line(ESTABLISHED, false) },
            { name: 'new flow', points: line(NEW, false), dashed: true },
            { name: 'one by one, established', points: line(ESTABLISHED, true) },
            { name: 'one by one, new flow', points: line(NEW, true), dashed: true },
          ],
        },
      },
    ]
  },
}

const sets: Part = {
  name: 'sets',
  tasks: () => [{}],
  measure: async (_, { quick }) => (await import('./sets/sets.ts')).sets(quick),
}

const control: Part = {
  name: 'control',
  tasks: () => [{}],
  measure: async (_, { quick }) => (await import('./control/commands.ts')).control(quick),
}

const tun: Part = {
  name: 'tun',
  tasks: () => [{}],
  limit: () => 600,
  measure: async (_, options) => (await import('./path/tun.ts')).tun(options),
  plots: latency('latency'),
}

const chains: Part = {
  name: 'chains',
  tasks: () => [{}],
  limit: () => 300,
  measure: async (_, options) => (await import('./path/chains.ts')).chains(options),
  plots: (figures) => [
    {
      name: 'chains',
      plot: {
        title: 'Small packets through devices against the number of rules that do not match',
        x: { label: 'rules in FORWARD', log: true },
        y: { label: 'thousand packets a second', log: true },
        lines: ['tunfilter', KERNEL_LEGACY, KERNEL_NFT].map((name) => ({
          name,
          points: against(figures, (f) => f.what === FLOOD && f.who === name),
        })),
      },
    },
  ],
}

const queues: Part = {
  name: 'queues',
  tasks: () => [{}],
  limit: () => 600,
  measure: async (_, options) => (await import('./path/queues.ts')).queues(options),
}

const peers: Part = {
  name: 'peers',
  tasks: () => [{}],
  limit: () => 300,
  measure: async (_, options) => (await import('./path/peers.ts')).peers(options),
}

const soak: Part = {
  name: 'soak',
  tasks: () => [{}],
  limit: ({ minutes }) => minutes * 60 * 2 + 120,
  measure: async (_, options) => (await import('./path/soak.ts')).soak(options),
}

export const PARTS: readonly Part[] = [
  micro,
  memory,
  flows,
  rules,
  sets,
  control,
  tun,
  chains,
  queues,
  peers,
  soak,
] as readonly Part[]

function against(figures: readonly Figure[], of: (figure: Figure) => boolean): Point[] {
  return figures
    .flatMap((figure) => (figure.at === undefined || !of(figure) ? [] : [{ x: figure.at, y: figure.value }]))
    .sort((a, b) => a.x - b.x)
}

/** Everybody's distribution of round trips: how many of them take longer than that. */
function latency(name: string): (figures: readonly Figure[]) => Named[] {
  return (figures) => {
    const lines = figures.flatMap(({ what, where, who = '', quantiles }): Line[] => {
      if (what !== ROUND_TRIP || where !== MEDIAN || quantiles === undefined) return []
      // The longest of all has nobody above it, and the logarithm of nobody is nowhere.
      const points = quantiles.flatMap(([share, us]) => (share < 1 ? [{ x: us, y: (1 - share) * 100 }] : []))
      return [{ name: who, points }]
    })
    return [
      {
        name,
        plot: {
          title: 'UDP round trips: share that takes longer',
          x: { label: 'microseconds', log: true },
          y: { label: '% of the round trips', log: true },
          lines,
        },
      },
    ]
  }
}
