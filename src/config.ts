// What a router is made of, as plain data: devices, routes, sysctls. `up` and `replay` read it from YAML
// (gateway/config.ts says what is wrong with line and column); a program hands it to Engine.open as it is.

export interface RouterConfig {
  readonly devices: Readonly<Record<string, DeviceConfig>>
  readonly routes?: readonly RouteConfig[]
  /** Names and values as SYSCTLS has them. */
  readonly sysctl?: Readonly<Record<string, number>>
  /** Timeout policies by name, for `-j CT --timeout NAME`. */
  readonly timeouts?: Readonly<Record<string, TimeoutPolicy>>
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

export interface RouteConfig {
  /** `10.2.0.0/16`, `2001:db8::/32`, an address alone, or `default`, of the family of `via` or `src` (IPv4 without either). */
  readonly to: string
  readonly via?: string
  /** May be left out where `via` is reachable by a connected prefix, and for types without a device. */
  readonly dev?: string
  /** Preferred source address of the router's own packets. */
  readonly src?: string
  readonly mtu?: number
  readonly metric?: number
  /** `unicast` when left out. */
  readonly type?: 'unicast' | 'local' | 'blackhole' | 'unreachable' | 'prohibit'
}
