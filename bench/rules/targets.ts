// What is promised of rule sets in relation to each other, each measured in a process of its own.

import type { Figure, Target } from '../figure.ts'
import { ESTABLISHED, NEW } from './path.ts'

export function rulesTargets(figures: readonly Figure[]): Target[] {
  const value = (what: string, where: string) =>
    figures.find((f) => f.what === what && f.where === where)?.value ?? Number.NaN
  const flat = value(ESTABLISHED, '100,000 rules') / value(ESTABLISHED, '100 rules')
  const rate = (where: string) => value(NEW, 'no other rules') / value(NEW, where)
  return [
    {
      what: 'established NAT flow, 100 and 100,000 rules',
      wanted: 'within 5 % of each other',
      got: `${((flat - 1) * 100).toFixed(1)} %`,
      held: Math.abs(flat - 1) <= 0.05,
    },
    ...['10,000 rules', 'kube-proxy, 10,000 services'].map((where) => ({
      what: `rate of new flows, ${where}`,
      wanted: 'at least 0.8 of that without other rules',
      got: rate(where).toFixed(2),
      held: rate(where) >= 0.8,
    })),
  ]
}
