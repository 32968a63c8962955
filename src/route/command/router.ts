// What the commands of `ip` work on.

import type { Link, Links } from '../../device/link.ts'
import type { Words } from '../entry.ts'
import type { PolicyRules } from '../policy.ts'
import type { Routing } from '../routing.ts'
import type { Routing6 } from '../routing6.ts'
import type { RouteTables } from '../tables.ts'
import type { Names } from './names.ts'
import type { Family } from './prefix.ts'
import { IpFault } from './words.ts'

export interface IpRouter {
  readonly links: Links
  readonly names: Names
  readonly routing: Routing
  readonly routing6: Routing6
  /** IPv6's packets are forwarded. */
  readonly forwards6: boolean
  /** A secondary address takes a primary one's place (promote_secondaries). */
  readonly promotes: boolean
  /** A device has an address no more. */
  addressGone(link: Link, address: Words): unknown
}

/** A family's rules and tables. */
export interface Changeable {
  readonly rules: PolicyRules
  readonly tables: RouteTables
  /** Makes changes count. */
  renew(): void
}

export function planeOf(router: IpRouter, family: Family): Changeable {
  return family === 4 ? router.routing : router.routing6
}

/** The index of a device by its name. Throws an IpFault where there is none. */
export function linkOf({ links }: IpRouter, dev: string): number {
  const link = links.byName(dev)
  if (link === undefined) throw new IpFault(`Cannot find device "${dev}"\n`, 1)
  return link.index
}

/** What one command was called with. */
export interface How {
  /** -4, -6, or undefined where neither was said. */
  readonly family: Family | undefined
  readonly json: boolean
  readonly details: boolean
  readonly oneline: boolean
}
