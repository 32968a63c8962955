// The routes and policy rules of a configuration as commands of iproute2.

import type { NextHopConfig, RouteConfig, RouterConfig } from '../../src/config.ts'
import { isRoute6, policyRuleWords } from '../../src/route/build.ts'

export function routingCommands(config: RouterConfig): string[] {
  const tables = config.tables ?? {}
  // Names of tables are iproute2's own business: it is told numbers.
  const numbered = (word: string | number) => String(tables[word] ?? word)
  const rules = (config.policyRules ?? []).map((text) => {
    const [family, words] = policyRuleWords(text)
    const told = words.map((word, i) => (['lookup', 'table'].includes(words[i - 1] ?? '') ? numbered(word) : word))
    return `ip -${family} rule add ${told.join(' ')}`
  })
  return [...(config.routes ?? []).map((route) => routeCommand(route, numbered)), ...rules]
}

function routeCommand(route: RouteConfig, numbered: (table: string | number) => string): string {
  const { to, table, src, mtu, advmss, metric, type, nexthops = [] } = route
  const words = [
    `ip -${isRoute6(route) ? 6 : 4} route add`,
    type,
    to,
    way(route),
    table !== undefined && `table ${numbered(table)}`,
    src && `src ${src}`,
    mtu && `mtu ${mtu}`,
    advmss && `advmss ${advmss}`,
    metric && `metric ${metric}`,
    ...nexthops.map((hop) => `nexthop ${way(hop)}`),
  ]
  return words.filter(Boolean).join(' ')
}

function way({ via, dev, weight, onlink }: NextHopConfig): string {
  const words = [via && `via ${via}`, dev && `dev ${dev}`, weight && `weight ${weight}`, onlink && 'onlink']
  return words.filter(Boolean).join(' ')
}
