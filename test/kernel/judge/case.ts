// One case: a router, its rules and what hosts say through it, all from one seed. It is run through the kernel and the engine side by
// side (judge.ts), and a disagreement is made as small as it can be (shrink.ts).

import type { Family } from '../../../src/rule/model.ts'
import { Chance } from './chance.ts'
import { type Families, type Network, network } from './network.ts'
import { type Rules, rules, rulesText } from './rules.ts'
import { setsText } from './sets.ts'
import { type Step, type Traffic, traffic } from './traffic.ts'

/** The rules of one family. */
export interface FamilyRules {
  readonly family: Family
  readonly rules: Rules
  /** What `ipset restore` reads before; '' where no rule names a set. */
  readonly sets: string
}

export interface Case {
  readonly seed: number
  readonly families: Families
  readonly network: Network
  readonly rules: readonly FamilyRules[]
  readonly traffic: Traffic
}

/** So many cases have the same network, so that the kernel's can be kept. */
const A_NETWORK = 50

export function caseOf(seed: number, families: Families): Case {
  const net = network(new Chance(Math.floor(seed / A_NETWORK) * 7919 + 1), families)
  const chance = new Chance(seed * 104_729 + 3)
  return {
    seed,
    families,
    network: net,
    rules: net.worlds.map((world) => {
      const set = rules(chance, world)
      const sets = setsText(chance, world)
      return { family: world.family, rules: set, sets: / (-m set|-j SET) /.test(rulesText(set)) ? sets : '' }
    }),
    traffic: traffic(chance, net),
  }
}

export function said(step: Step): string {
  switch (step.kind) {
    case 'line':
      return `${step.device} ${step.line}`
    case 'error':
      return `flow ${step.flow} ${sideOf(step)} error ${step.words}`
    default: {
      const pieces = step.split === undefined ? '' : ` in pieces of ${step.split.mtu}, ${step.split.order}`
      return `flow ${step.flow} ${sideOf(step)} ${step.words.trim()}${pieces}`
    }
  }
}

const sideOf = ({ side }: { side: 0 | 1 }) => (side === 0 ? 'client' : 'server')

/** A case for people, and for a scenario file. */
export function caseText({ seed, families, network: net, rules: all, traffic: { flows, steps } }: Case): string {
  return [
    `case ${seed} (--family ${families})`,
    `config ${JSON.stringify(net.config)}`,
    ...all.flatMap(({ family, rules: set, sets }) => [
      `rules for IPv${family}:`,
      ...(sets === '' ? [] : [sets.trimEnd()]),
      rulesText(set).trimEnd(),
    ]),
    ...flows.map(
      (flow, i) =>
        `flow ${i} ${flow.protocol} ${flow.client.device} ${flow.client.address} ${flow.sport} > ${flow.server} ${flow.dport}`,
    ),
    ...steps.map((step, i) => `step ${i} ${said(step)}`),
  ].join('\n')
}
