// The public API; nothing else in src/ is meant to be imported from outside.

export type { DeviceConfig, RouteConfig, RouterConfig } from './config.ts'
export type { FlowEntry, Tuple } from './conntrack/command/entry.ts'
export type { FlowEvent, FlowList } from './conntrack/command/flow-list.ts'
export { formatEntry as formatFlow } from './conntrack/command/line.ts'
export { FlowTable } from './conntrack/flows.ts'
export type { Reply } from './control/client.ts'
export { runCommand } from './control/in-process.ts'
export {
  Iptables,
  IptablesError,
  type IptablesErrorCode,
  type IptablesOptions,
  type RuleSpec,
  type RuleStats,
} from './control/iptables.ts'
export type { Device } from './device/device.ts'
export { MemoryDevice } from './device/memory.ts'
export { TunDevice, type TunOptions } from './device/tun.ts'
export { Engine } from './engine.ts'
export type { EngineCounters, LinkCounters } from './engine-counters.ts'
export type { EngineOptions, HookFunction } from './engine-options.ts'
export { type Complaint, type Place, RefusedError, TunfilterError } from './errors.ts'
export {
  ACCEPT,
  DROP,
  type HookName,
  PRIORITY_CONNTRACK,
  PRIORITY_DNAT,
  PRIORITY_FILTER,
  PRIORITY_MANGLE,
  PRIORITY_RAW,
  PRIORITY_SECURITY,
  PRIORITY_SNAT,
} from './hook/hook.ts'
export type { Step, Watch } from './hook/way.ts'
export type { NflogListener, NflogOptions, NflogPacket } from './nfnetlink/nflog.ts'
export type { QueueChange, QueuedPacket, QueueListener, QueueOptions } from './nfnetlink/nfqueue.ts'
export type { SeenPacket } from './nfnetlink/seen.ts'
export { Batch } from './packet/batch.ts'
export type { Packet } from './packet/packet.ts'
export { REASONS, type ReasonName } from './packet/reason.ts'
export { Slab } from './packet/slab.ts'
export { type Random, seededRandom, systemRandom } from './random.ts'
export { CONTINUE, defineMatch, defineTarget, RETURN } from './rule/define.ts'
export type { Family, TableName } from './rule/model.ts'
export * as option from './rule/option.ts'
export { SYSCTLS, type SysctlName } from './sysctl.ts'
export { type Clock, SystemClock, VirtualClock } from './time.ts'
