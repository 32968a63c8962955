// Types of routes and so of destination addresses, with the numbers of rtnetlink(7).

export const UNSPEC = 0
export const UNICAST = 1
export const LOCAL = 2
export const BROADCAST = 3
export const ANYCAST = 4
export const MULTICAST = 5
export const BLACKHOLE = 6
export const UNREACHABLE = 7
export const PROHIBIT = 8
/** The next rule is asked. */
export const THROW = 9

export const TYPE_NAMES = [
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
] as const

/** Routes of these types have no device. */
export function leadsNowhere(type: number): boolean {
  return type >= BLACKHOLE && type <= THROW
}
