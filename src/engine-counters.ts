// What the engine counted: packets dropped by reason, what conntrack did, and each device's packets and bytes.

import type { Conntrack } from './conntrack/conntrack.ts'
import { countersOf } from './conntrack/statistics.ts'
import { type Links, LOOPBACK, NO_LINK } from './device/link.ts'
import { REASONS } from './packet/reason.ts'

export interface EngineCounters {
  /** Packets dropped, by reason. */
  readonly dropped: Readonly<Record<string, number>>
  /** Of both families. */
  readonly conntrack: Readonly<Record<string, number>>
  readonly links: Readonly<Record<string, LinkCounters>>
}

export interface LinkCounters {
  readonly rxPackets: number
  readonly rxBytes: number
  readonly rxErrors: number
  readonly txPackets: number
  readonly txBytes: number
  readonly txDropped: number
  readonly txErrors: number
}

/** A copy of them as they are now, of the devices that the configuration names. */
export function countersNow(links: Links, dropped: Float64Array, conntrack: Conntrack): EngineCounters {
  const linkCounters = links.all
    .filter((link) => link.index !== LOOPBACK && link.index !== NO_LINK)
    .map((link) => {
      const [rxPackets, rxBytes, txPackets, txBytes, rxErrors, txDropped, txErrors] = link.counters
      return [link.name, { rxPackets, rxBytes, rxErrors, txPackets, txBytes, txDropped, txErrors }] as const
    })
  return {
    dropped: Object.fromEntries(REASONS.map((name, i) => [name, dropped[i]])),
    conntrack: countersOf(conntrack),
    links: Object.fromEntries(linkCounters),
  }
}
