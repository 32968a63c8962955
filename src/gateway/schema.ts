// The shape of a gateway's configuration: which keys there are and what each value may be. Every leaf says what was
// expected of it; config.ts puts that together with where it stands. How things must fit together is in checks.ts.

import { z } from 'zod'
import { canonical, readDestination, readOwn } from './family.ts'
import { WORKERS_MAX } from './workers-max.ts'

/** A string that `read` understands. */
function text(read: (value: string) => unknown, expected: string) {
  return z.custom<string>((value) => typeof value === 'string' && read(value) !== undefined, expected)
}

function integer(min: number, max: number) {
  const holds = (value: unknown) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max
  return z.custom<number>(holds, `an integer from ${min} to ${max}`)
}

function oneOf<const T extends string>(...values: T[]) {
  return z.custom<T>((value) => values.includes(value as T), values.join(' or '))
}

const flag = z.custom<boolean>((value) => typeof value === 'boolean', 'true or false')
const listOf = <T extends z.ZodType>(element: T) => z.array(element, { error: 'a list' })
const mapping = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape, { error: 'a mapping' })
const byName = <T extends z.ZodType>(value: T, expected: string) => z.record(z.string(), value, { error: expected })

const address = text(canonical, 'an address such as 10.0.1.1 or 2001:db8::1')
const linkAddress = text(readOwn, "an address such as '10.0.1.1/24', '2001:db8::1/64' or '10.0.1.1 peer 10.0.1.2/32'")
const destination = text(
  (value) => readDestination(value, 4),
  "'default', an address, or a prefix such as 10.2.0.0/16 without bits beyond its length",
)
const mtu = integer(68, 65_535)
const metric = integer(0, 0x7fffffff)
const netns = text(
  (value) => (value !== '' && value !== '.' && value !== '..' ? value : undefined),
  'the name of a network namespace (ip netns) or a path such as /proc/PID/ns/net',
)

const peerRoute = {
  to: destination,
  via: address.optional(),
  src: address.optional(),
  mtu: mtu.optional(),
  metric: metric.optional(),
}

const peer = {
  addresses: listOf(linkAddress).optional(),
  routes: listOf(
    z.preprocess((value) => (typeof value === 'string' ? { to: value } : value), mapping(peerRoute)),
  ).optional(),
}

const device = {
  kind: oneOf('tun').optional(),
  addresses: listOf(linkAddress).optional(),
  mtu: mtu.optional(),
  netns: netns.optional(),
  persist: flag.optional(),
  offload: flag.optional(),
  queueLength: integer(1, 1_000_000).optional(),
  peer: mapping(peer).optional(),
}

const dev = z.custom<string>((value) => typeof value === 'string', "a device's name")

const nextHop = {
  via: address.optional(),
  dev: dev.optional(),
  weight: integer(1, 256).optional(),
  onlink: flag.optional(),
}

const route = {
  to: destination,
  family: z.custom<4 | 6>((value) => value === 4 || value === 6, '4 or 6').optional(),
  table: z
    .custom<string | number>(
      (value) =>
        typeof value === 'string' || (Number.isInteger(value) && Number(value) > 0 && Number(value) <= 0xffffffff),
      "a table's name or number",
    )
    .optional(),
  via: address.optional(),
  dev: dev.optional(),
  onlink: flag.optional(),
  nexthops: listOf(mapping(nextHop)).optional(),
  src: address.optional(),
  mtu: mtu.optional(),
  advmss: integer(1, 65_535).optional(),
  metric: metric.optional(),
  type: oneOf('unicast', 'local', 'blackhole', 'unreachable', 'prohibit', 'throw').optional(),
}

const quota = integer(0, Number.MAX_SAFE_INTEGER)
const account = { packets: quota.optional(), bytes: quota.optional() }

const gateway = {
  devices: byName(mapping(device), 'a mapping of device names'),
  workers: integer(1, WORKERS_MAX).optional(),
  routes: listOf(mapping(route)).optional(),
  tables: byName(integer(1, 0xffffffff), 'a mapping of names to numbers of tables').optional(),
  policyRules: listOf(
    z.custom<string>((value) => typeof value === 'string', "a rule such as 'from 10.0.0.0/8 lookup 101'"),
  ).optional(),
  sysctl: byName(
    z.custom<number>((value) => typeof value === 'number', 'a number'),
    'a mapping of sysctl names to numbers',
  ).optional(),
  accounting: byName(
    z
      .strictObject(account, { error: "a mapping: '{}', '{ packets: N }' or '{ bytes: N }'" })
      .refine(({ packets, bytes }) => packets === undefined || bytes === undefined, 'a quota of packets or of bytes'),
    'a mapping of names to accounting objects',
  ).optional(),
  timeouts: byName(
    mapping({ protocol: z.custom<string>((value) => typeof value === 'string', "a protocol's name") }).catchall(
      integer(0, 2_000_000),
    ),
    'a mapping of names to timeout policies',
  ).optional(),
}

export const gatewaySchema = mapping(gateway)

/** The keys that the mapping at this place may have. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  if (path.length === 0) return Object.keys(gateway)
  if (path[0] === 'routes') return Object.keys(path.length > 2 ? nextHop : route)
  if (path[0] === 'accounting') return Object.keys(account)
  return Object.keys(path.length === 2 ? device : path.length === 3 ? peer : peerRoute)
}
