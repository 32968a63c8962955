// The sysctls that the engine obeys, under Linux's names, with its defaults (but for ip_forward and IPv6's forwarding: this is a router). One
// table: the configuration is validated by it, and the packet path reads plain numbers. A name that is not here is
// refused, not ignored.

import { TunfilterError } from './errors.ts'

interface Setting {
  readonly value: number
  readonly min: number
  readonly max: number
}

const flag = (value: number): Setting => ({ value, min: 0, max: 1 })
const count = (value: number, min: number, max: number): Setting => ({ value, min, max })
// A flow's end is kept in milliseconds of 31 bits, compared by difference: 24 days at most.
const seconds = (value: number): Setting => ({ value, min: 0, max: 2_000_000 })

export const SYSCTLS = {
  'net.ipv4.ip_forward': flag(1),
  'net.ipv4.ip_default_ttl': count(64, 1, 255),
  'net.ipv4.icmp_echo_ignore_all': flag(0),
  'net.ipv4.icmp_echo_ignore_broadcasts': flag(1),
  'net.ipv4.icmp_errors_use_inbound_ifaddr': flag(0),
  'net.ipv4.icmp_ratelimit': count(1000, 0, 0x7fffffff),
  'net.ipv4.icmp_ratemask': count(6168, 0, 0x7fffffff),
  'net.ipv4.icmp_msgs_per_sec': count(1000, 0, 0x7fffffff),
  'net.ipv4.icmp_msgs_burst': count(50, 0, 0x7fffffff),
  'net.ipv4.fwmark_reflect': flag(0),
  'net.ipv4.fib_multipath_hash_policy': count(0, 0, 3),
  'net.ipv4.fib_multipath_hash_fields': count(7, 1, 0xfff),
  'net.ipv4.ipfrag_time': seconds(30),
  'net.ipv4.ipfrag_high_thresh': count(4 << 20, 0, 0x7fffffff),
  'net.ipv4.conf.all.rp_filter': count(0, 0, 2),
  'net.ipv4.conf.all.send_redirects': flag(1),
  'net.ipv4.conf.all.accept_local': flag(0),
  'net.ipv4.conf.all.src_valid_mark': flag(0),
  'net.ipv4.conf.all.promote_secondaries': flag(0),
  'net.ipv4.conf.all.route_localnet': flag(0),
  'net.ipv6.conf.all.forwarding': flag(1),
  'net.ipv6.conf.all.hop_limit': count(64, 1, 255),
  'net.ipv6.fwmark_reflect': flag(0),
  'net.ipv6.fib_multipath_hash_policy': count(0, 0, 3),
  'net.ipv6.fib_multipath_hash_fields': count(7, 1, 0xfff),
  'net.ipv6.ip6frag_time': seconds(60),
  'net.ipv6.ip6frag_high_thresh': count(4 << 20, 0, 0x7fffffff),
  'net.ipv6.auto_flowlabels': count(1, 0, 3),
  'net.ipv6.anycast_src_echo_reply': flag(0),
  'net.ipv6.icmp.echo_ignore_all': flag(0),
  'net.ipv6.icmp.echo_ignore_multicast': flag(0),
  'net.ipv6.icmp.echo_ignore_anycast': flag(0),
  'net.ipv6.icmp.ratelimit': count(100, 0, 0x7fffffff),
  'net.ipv6.max_hbh_opts_number': count(8, -0x7fffffff, 0x7fffffff),
  'net.ipv6.max_hbh_length': count(0x7fffffff, 0, 0x7fffffff),
  'net.ipv6.max_dst_opts_number': count(8, -0x7fffffff, 0x7fffffff),
  'net.ipv6.max_dst_opts_length': count(0x7fffffff, 0, 0x7fffffff),
  'net.netfilter.nf_conntrack_max': count(262144, 1, 16_000_000),
  // Its default goes by the table's size: see sysctls().
  'net.netfilter.nf_conntrack_expect_max': count(4096, 1, 0x7fffffff),
  'net.netfilter.nf_conntrack_acct': flag(0),
  'net.netfilter.nf_conntrack_checksum': flag(1),
  'net.netfilter.nf_conntrack_timestamp': flag(0),
  'net.netfilter.nf_conntrack_frag6_timeout': seconds(60),
  'net.netfilter.nf_conntrack_frag6_high_thresh': count(4 << 20, 0, 0x7fffffff),
  'net.netfilter.nf_conntrack_events': count(2, 0, 2),
  'net.netfilter.nf_conntrack_generic_timeout': seconds(600),
  'net.netfilter.nf_conntrack_icmp_timeout': seconds(30),
  'net.netfilter.nf_conntrack_icmpv6_timeout': seconds(30),
  'net.netfilter.nf_conntrack_udp_timeout': seconds(30),
  'net.netfilter.nf_conntrack_udp_timeout_stream': seconds(120),
  'net.netfilter.nf_conntrack_gre_timeout': seconds(30),
  'net.netfilter.nf_conntrack_gre_timeout_stream': seconds(180),
  'net.netfilter.nf_conntrack_sctp_timeout_closed': seconds(10),
  'net.netfilter.nf_conntrack_sctp_timeout_cookie_wait': seconds(3),
  'net.netfilter.nf_conntrack_sctp_timeout_cookie_echoed': seconds(3),
  'net.netfilter.nf_conntrack_sctp_timeout_established': seconds(210),
  'net.netfilter.nf_conntrack_sctp_timeout_shutdown_sent': seconds(3),
  'net.netfilter.nf_conntrack_sctp_timeout_shutdown_recd': seconds(3),
  'net.netfilter.nf_conntrack_sctp_timeout_shutdown_ack_sent': seconds(3),
  'net.netfilter.nf_conntrack_sctp_timeout_heartbeat_sent': seconds(30),
  'net.netfilter.nf_conntrack_tcp_be_liberal': flag(0),
  'net.netfilter.nf_conntrack_tcp_loose': flag(1),
  'net.netfilter.nf_conntrack_tcp_ignore_invalid_rst': flag(0),
  'net.netfilter.nf_conntrack_tcp_max_retrans': count(3, 0, 255),
  'net.netfilter.nf_conntrack_tcp_timeout_syn_sent': seconds(120),
  'net.netfilter.nf_conntrack_tcp_timeout_syn_recv': seconds(60),
  'net.netfilter.nf_conntrack_tcp_timeout_established': seconds(432000),
  'net.netfilter.nf_conntrack_tcp_timeout_fin_wait': seconds(120),
  'net.netfilter.nf_conntrack_tcp_timeout_close_wait': seconds(60),
  'net.netfilter.nf_conntrack_tcp_timeout_last_ack': seconds(30),
  'net.netfilter.nf_conntrack_tcp_timeout_time_wait': seconds(120),
  'net.netfilter.nf_conntrack_tcp_timeout_close': seconds(10),
  'net.netfilter.nf_conntrack_tcp_timeout_max_retrans': seconds(300),
  'net.netfilter.nf_conntrack_tcp_timeout_unacknowledged': seconds(300),
} as const satisfies Record<string, Setting>

export type SysctlName = keyof typeof SYSCTLS

/** Those of net.ipv4.conf that may be set for a device by its name in the place of `all`, and how both make one value. */
const DEVICE_SYSCTLS = {
  forwarding: 'net.ipv4.ip_forward',
  rp_filter: 'net.ipv4.conf.all.rp_filter',
  accept_local: 'net.ipv4.conf.all.accept_local',
  route_localnet: 'net.ipv4.conf.all.route_localnet',
  send_redirects: 'net.ipv4.conf.all.send_redirects',
  src_valid_mark: 'net.ipv4.conf.all.src_valid_mark',
} as const satisfies Record<string, SysctlName>

export type DeviceSysctl = keyof typeof DEVICE_SYSCTLS

/** The device's name and the setting's of `net.ipv4.conf.DEVICE.SETTING`; undefined for other names. */
export function deviceSysctl(name: string): { readonly device: string; readonly setting: DeviceSysctl } | undefined {
  const [, device, setting] = /^net\.ipv4\.conf\.(.+)\.(\w+)$/.exec(name) ?? []
  if (device === undefined || device === 'all' || device === 'default' || !(setting in DEVICE_SYSCTLS)) return undefined
  return { device, setting: setting as DeviceSysctl }
}

/**
 * What counts for a device. One that nothing was said of has what was said for all; whether it forwards is its own business, for the
 * others the larger value counts.
 */
export function ofDevice(sysctl: Sysctl, device: string, setting: DeviceSysctl): number {
  const all = sysctl[DEVICE_SYSCTLS[setting]]
  const own = (sysctl as Readonly<Record<string, number | undefined>>)[`net.ipv4.conf.${device}.${setting}`] ?? all
  return setting === 'forwarding' ? own : Math.max(all, own)
}

/** Current values by name. Plain numbers: whoever needs one on the packet path copies it when it is made ready. */
export type Sysctl = Record<SysctlName, number>

/** Defaults, overlaid by what is given; throws ERR_SYSCTL for a name or value that cannot be. */
export function sysctls(given: Readonly<Record<string, number>> = {}): Sysctl {
  const all = Object.fromEntries(Object.entries(SYSCTLS).map(([name, s]) => [name, s.value])) as Sysctl
  for (const [name, value] of Object.entries(given)) {
    const its = deviceSysctl(name)
    const setting: Setting | undefined = SYSCTLS[its === undefined ? (name as SysctlName) : DEVICE_SYSCTLS[its.setting]]
    if (setting === undefined) throw new TunfilterError('ERR_SYSCTL', `${name}: not a sysctl that tunfilter knows`)
    if (!Number.isInteger(value) || value < setting.min || value > setting.max)
      throw new TunfilterError('ERR_SYSCTL', `${name}: ${value}: expected ${setting.min} to ${setting.max}`)
    all[name as SysctlName] = value
  }
  // As Linux has it for a table with as many buckets as flows: one bucket for expectations in 256 of them, and four in each.
  if (given['net.netfilter.nf_conntrack_expect_max'] === undefined)
    all['net.netfilter.nf_conntrack_expect_max'] = 4 * Math.max(1, all['net.netfilter.nf_conntrack_max'] >> 8)
  return all
}
