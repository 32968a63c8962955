// What an engine is assembled of: links and routes of the configuration, both families' flow tables and ways, sets, accounts and rules.
// Nothing here runs; who asks `random` first is part of what a seed repeats, so the order of the parts stays as it is.

import { Conntrack4 } from './conntrack/conntrack4.ts'
import { Conntrack6 } from './conntrack/conntrack6.ts'
import { adviseLargePages } from './device/large-pages.ts'
import type { EngineOptions } from './engine-options.ts'
import { Generations } from './engine-rules.ts'
import { SetStore } from './ipset/store.ts'
import { IcmpCredit } from './local/rate.ts'
import { Accounts } from './nfacct/accounts.ts'
import { NflogGroups } from './nfnetlink/nflog.ts'
import { Queues } from './nfnetlink/nfqueue.ts'
import { REASONS } from './packet/reason.ts'
import { Slab } from './packet/slab.ts'
import { Pipeline } from './pipeline.ts'
import { Ends } from './pipeline-ends.ts'
import { forgetDecisions } from './pipeline-register.ts'
import { Pipeline6 } from './pipeline6.ts'
import { systemRandom } from './random.ts'
import { buildLinks, buildRules, buildTables, checkDeviceSysctls } from './route/build.ts'
import { TableNames } from './route/command/names.ts'
import type { IpRouter } from './route/command/router.ts'
import { Routing } from './route/routing.ts'
import { Routing6 } from './route/routing6.ts'
import type { Environment } from './rule/environment.ts'
import type { Family } from './rule/model.ts'
import { protocolName, protocolNumber, servicePort } from './rule/names.ts'
import { Program } from './rule/program.ts'
import { Shared } from './rule/shared.ts'
import { type Sysctl, sysctls } from './sysctl.ts'
import { IdleTimers } from './target/idletimer.ts'
import type { Time } from './time.ts'

export interface EngineParts {
  readonly sysctl: Sysctl
  readonly ends: Ends
  readonly queues: Queues
  readonly conntrack: Conntrack4
  readonly conntrack6: Conntrack6
  readonly pipeline: Pipeline
  readonly pipeline6: Pipeline6
  readonly nflog: NflogGroups
  readonly sets: SetStore
  readonly accounts: Accounts
  readonly router: IpRouter
  readonly idle: IdleTimers
  readonly rules: Generations
}

/** Throws ERR_CONFIG or ERR_SYSCTL for a configuration that cannot be. */
export function assembled(options: EngineOptions, time: Time): EngineParts {
  const { config, devices, log = () => {}, notice = () => {}, watch } = options
  const random = options.random ?? systemRandom()
  const sysctl = sysctls(config.sysctl)
  const slab = new Slab(options.slots ?? 1024, options.memory)
  const links = buildLinks(config, devices)
  for (const device of devices.values()) device.attach?.(slab)
  checkDeviceSysctls(sysctl, links)
  const tables = (family: Family) => buildTables(config, links, family, sysctl)
  const policies = (family: Family) => buildRules(config, family, { protocolNumber, protocolName })
  const routing = new Routing(links, tables(4), policies(4), sysctl, time, random())
  const conntrack = new Conntrack4({ time, sysctl, policies: config.timeouts }, random())
  const ends = new Ends(slab, links, new Float64Array(new SharedArrayBuffer(REASONS.length * 8)))
  const queues = new Queues(ends, time, notice)
  const parts = { ends, queues, time, sysctl, random, notice, credit: new IcmpCredit(time, sysctl), watch }
  const pipeline = new Pipeline({ ...parts, routing, conntrack })
  const routing6 = new Routing6(links, tables(6), policies(6), sysctl, time, random())
  const conntrack6 = new Conntrack6({ time, sysctl, policies: config.timeouts, stats: conntrack.stats }, random())
  meet(conntrack, conntrack6)
  const pipeline6 = new Pipeline6({ ...parts, routing: routing6, conntrack: conntrack6 })
  const nflog = new NflogGroups(links, time, notice)
  const known = { protocolName, protocolNumber, servicePort }
  const sets = new SetStore({ time, random, names: known, adviseMemory: adviseLargePages })
  const shared = new Shared()
  const accounts = new Accounts(shared, config.accounting)
  const { nat, local } = pipeline
  const local6 = pipeline6.local
  const environment: Environment = {
    ...{ time, random, links, routing, conntrack, nat, local, routing6, local6, log, nflog, shared, sets },
  }
  const environment6 = { ...environment, conntrack: conntrack6, nat: pipeline6.nat }
  const how = { interpreted: options.interpretRules }
  const programs = { 4: new Program(4, environment, how), 6: new Program(6, environment6, how) }
  routing.paths.onLearned = () => forgetDecisions(programs[4])
  routing6.paths.onLearned = () => forgetDecisions(programs[6])
  const router: IpRouter = {
    links,
    names: { protocolNumber, protocolName, tables: new TableNames(config.tables) },
    routing,
    routing6,
    forwards6: sysctl['net.ipv6.conf.all.forwarding'] !== 0,
    promotes: sysctl['net.ipv4.conf.all.promote_secondaries'] !== 0,
    addressGone: (link, address) =>
      (address.length === 1 ? pipeline.nat : pipeline6.nat).endMasqueraded(link.index, address),
  }
  const idle = new IdleTimers(shared)
  const rules = new Generations(programs, sets, accounts.isThere)
  return {
    ...{ sysctl, ends, queues, conntrack, conntrack6, pipeline, pipeline6 },
    nflog,
    sets,
    accounts,
    router,
    idle,
    rules,
  }
}

/** What the two families share: the number of flows and of expectations that there may be. */
function meet(conntrack: Conntrack4, conntrack6: Conntrack6): void {
  conntrack6.beside = conntrack
  conntrack.beside = conntrack6
  const [expected, expected6] = [conntrack.announced.expectations, conntrack6.announced.expectations]
  expected6.beside = expected
  expected.beside = expected6
}
