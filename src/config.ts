// What a router is made of, as plain data: devices, routes, sysctls. `up` and `replay` read it from YAML
// (gateway/config.ts says what is wrong with line and column); a program hands it to Engine.open as it is.

export interface RouterConfig {
  readonly devices: Readonly<Record<string, DeviceConfig>>
  readonly routes?: readonly RouteConfig[]
  /** Names of routing tables besides local, main and default, with their numbers. */
  readonly tables?: Readonly<Record<string, number>>
  /**
   * Which packets look into which table, each in the words of `ip rule add`: `from 10.0.0.0/8 lookup wan1`, `fwmark 1/0xff lookup 101
   * priority 1000`. A rule is IPv6's when an address in it is, or with `-6` before it. They are added in this order to the
   * default ones.
   */
  readonly policyRules?: readonly string[]
  /** Names and values as SYSCTLS has them. */
  readonly sysctl?: Readonly<Record<string, number>>
  /** Accounting objects by name, for `-m nfacct`: `{}`, or a quota as `{ packets: 1000 }` or `{ bytes: 1000000 }`. */
  readonly accounting?: Readonly<Record<string, AccountConfig>>
  /** Timeout policies by name, for `-j CT --timeout NAME`. */
  readonly timeouts?: Readonly<Record<string, TimeoutPolicy>>
}

export interface AccountConfig {
  readonly packets?: number
  readonly bytes?: number
}

/** What `nfct timeout` defines: a protocol and how many seconds its flows last, by nfct's names (`established: 100`). */
export interface TimeoutPolicy {
  readonly protocol: string
  readonly [timeout: string]: string | number
}

export interface DeviceConfig {
  /**
   * `10.0.1.1/24`, `2001:db8::1/64`, or `10.0.1.1 peer 10.0.1.2/32`; the first of IPv4 is the device's primary address. A device
   * has the link-local address that is named here, and none otherwise.
   */
  readonly addresses?: readonly string[]
  /** Bytes, 68 to 65,535, at least 1280 with an IPv6 address; 1500 when left out. */
  readonly mtu?: number
}

/** One of the ways of a route. */
export interface NextHopConfig {
  readonly via?: string
  readonly dev?: string
  /** Share of the flows, 1 to 256; 1 when left out. */
  readonly weight?: number
  /** `via` is on the link of `dev`, whatever the addresses say. */
  readonly onlink?: boolean
}

export interface RouteConfig {
  /** `10.2.0.0/16`, `2001:db8::/32`, an address alone, or `default`, of the family of `via` or `src` (IPv4 without either). */
  readonly to: string
  /** For a `default` whose other words do not say it. */
  readonly family?: 4 | 6
  /** A table's name or number; `main`, or `local` for type local, when left out. */
  readonly table?: string | number
  readonly via?: string
  /** May be left out where `via` is reachable by a connected prefix, and for types without a device. */
  readonly dev?: string
  readonly onlink?: boolean
  /** Several ways instead of `via` and `dev`: each flow takes one, as net.ipv4.fib_multipath_hash_policy says. */
  readonly nexthops?: readonly NextHopConfig[]
  /** Preferred source address of the router's own packets. */
  readonly src?: string
  readonly mtu?: number
  /** Shown, as in Linux: it is for connections of the router's own, and it has none. */
  readonly advmss?: number
  readonly metric?: number
  /** `unicast` when left out. */
  readonly type?: 'unicast' | 'local' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw'
}
