// The connection helpers that there are, by number: a flow's extras have the number (extensions.ts), 0 for none.

import { ftp } from './ftp.ts'
import type { Helper } from './helper.ts'
import { irc } from './irc.ts'
import { netbiosNs } from './netbios-ns.ts'
import { pptp } from './pptp.ts'
import { sipTcp, sipUdp } from './sip.ts'
import { tftp } from './tftp.ts'

export const HELPERS: readonly (Helper | undefined)[] = [undefined, ftp, irc, netbiosNs, pptp, sipTcp, sipUdp, tftp]

/** Names of all of them. */
export const HELPER_NAMES: readonly string[] = [...new Set(HELPERS.flatMap((helper) => helper?.name ?? []))]

/** Name of the helper with this number, '' for none. */
export function helperName(number: number): string {
  return HELPERS[number]?.name ?? ''
}

/** Number of the helper with this name for flows of this family and protocol, 0 where there is none. */
export function helperNumber(name: string, family: 4 | 6, protocol: number | undefined): number {
  const found = HELPERS.findIndex((helper) => helper?.name === name && reads(helper, family, protocol))
  return Math.max(0, found)
}

/** Names of those for flows of this family and protocol; of all of the family where there is none for that protocol. */
export function helpersOf(family: 4 | 6, protocol: number | undefined): string {
  const of = (wanted: (helper: Helper) => boolean) =>
    HELPERS.flatMap((helper) => (helper !== undefined && wanted(helper) ? helper.name : []))
  const own = of((helper) => reads(helper, family, protocol))
  const names = own.length > 0 ? own : of((helper) => helper.families.includes(family))
  return [...new Set(names)].join(', ')
}

function reads({ families, protocol: own }: Helper, family: 4 | 6, protocol: number | undefined): boolean {
  return own === protocol && families.includes(family)
}
