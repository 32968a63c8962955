// What a match or target can reach when it is made ready for packets: the clock, chance, the flow table, the routing
// tables, and the router's own voice. Handed in at instantiation, so that the packet path looks nothing up by name.

import type { Conntrack } from '../conntrack/conntrack.ts'
import type { Links } from '../device/link.ts'
import type { SetStore } from '../ipset/store.ts'
import type { Local } from '../local/local.ts'
import type { Local6 } from '../local/local6.ts'
import type { Nat } from '../nat/nat.ts'
import type { NflogGroups } from '../nfnetlink/nflog.ts'
import type { Routing } from '../route/routing.ts'
import type { Routing6 } from '../route/routing6.ts'
import type { Time } from '../time.ts'
import type { Shared } from './shared.ts'

/** Where the lines of LOG and TRACE go. `level` is syslog's, 0 to 7. */
export type LogSink = (level: number, line: string) => void

export interface Environment {
  readonly time: Time
  /** A uniformly distributed int32. */
  readonly random: () => number
  readonly links: Links
  readonly routing: Routing
  readonly conntrack: Conntrack
  readonly nat: Nat
  readonly local: Local
  /** The same for IPv6. */
  readonly routing6: Routing6
  readonly local6: Local6
  /** The router's sets; rules keep the slots that they name. */
  readonly sets: SetStore
  readonly log: LogSink
  /** Who listens to NFLOG. */
  readonly nflog: NflogGroups
  /** What rules share by a name. */
  readonly shared: Shared
}
