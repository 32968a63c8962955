// How long flows last: for each protocol a list of timeouts by name, from the sysctls, or for flows that a CT target gave a
// policy to, from that policy (what `nfct timeout` defines on Linux). A policy says what it says, and for the rest the
// sysctls hold.

import type { TimeoutPolicy } from '../config.ts'
import { TunfilterError } from '../errors.ts'
import type { Sysctl, SysctlName } from '../sysctl.ts'
import * as ip from '../wire/ipv4.ts'
import { EXTRA_WORDS, type Extensions, POLICY } from './extensions.ts'

/** A timeout's name as nfct has it, and its sysctl; a number where Linux has none, in seconds. */
type Timeout = readonly [name: string, sysctl: SysctlName | number]

const UDP: readonly Timeout[] = [
  ['unreplied', 'net.netfilter.nf_conntrack_udp_timeout'],
  ['replied', 'net.netfilter.nf_conntrack_udp_timeout_stream'],
]

/** By protocol's name; the places are what trackers index by. */
const TIMEOUTS = {
  // Places are the states of tcp-states.ts.
  tcp: [
    ['none', 0],
    ['syn_sent', 'net.netfilter.nf_conntrack_tcp_timeout_syn_sent'],
    ['syn_recv', 'net.netfilter.nf_conntrack_tcp_timeout_syn_recv'],
    ['established', 'net.netfilter.nf_conntrack_tcp_timeout_established'],
    ['fin_wait', 'net.netfilter.nf_conntrack_tcp_timeout_fin_wait'],
    ['close_wait', 'net.netfilter.nf_conntrack_tcp_timeout_close_wait'],
    ['last_ack', 'net.netfilter.nf_conntrack_tcp_timeout_last_ack'],
    ['time_wait', 'net.netfilter.nf_conntrack_tcp_timeout_time_wait'],
    ['close', 'net.netfilter.nf_conntrack_tcp_timeout_close'],
    ['syn_sent2', 120],
    ['retrans', 'net.netfilter.nf_conntrack_tcp_timeout_max_retrans'],
    ['unacknowledged', 'net.netfilter.nf_conntrack_tcp_timeout_unacknowledged'],
  ],
  udp: UDP,
  udplite: UDP,
  icmp: [['timeout', 'net.netfilter.nf_conntrack_icmp_timeout']],
  icmpv6: [['timeout', 'net.netfilter.nf_conntrack_icmpv6_timeout']],
  gre: [
    ['unreplied', 'net.netfilter.nf_conntrack_gre_timeout'],
    ['replied', 'net.netfilter.nf_conntrack_gre_timeout_stream'],
  ],
  // Places are the states of sctp-states.ts.
  sctp: [
    ['none', 'net.netfilter.nf_conntrack_sctp_timeout_closed'],
    ['closed', 'net.netfilter.nf_conntrack_sctp_timeout_closed'],
    ['cookie_wait', 'net.netfilter.nf_conntrack_sctp_timeout_cookie_wait'],
    ['cookie_echoed', 'net.netfilter.nf_conntrack_sctp_timeout_cookie_echoed'],
    ['established', 'net.netfilter.nf_conntrack_sctp_timeout_established'],
    ['shutdown_sent', 'net.netfilter.nf_conntrack_sctp_timeout_shutdown_sent'],
    ['shutdown_recd', 'net.netfilter.nf_conntrack_sctp_timeout_shutdown_recd'],
    ['shutdown_ack_sent', 'net.netfilter.nf_conntrack_sctp_timeout_shutdown_ack_sent'],
    ['heartbeat_sent', 'net.netfilter.nf_conntrack_sctp_timeout_heartbeat_sent'],
  ],
  generic: [['timeout', 'net.netfilter.nf_conntrack_generic_timeout']],
} as const satisfies Record<string, readonly Timeout[]>

export type TimedProtocol = keyof typeof TIMEOUTS

/** What the places of UDP's and GRE's timeouts mean, and the only one of ICMP's and of unknown protocols'. */
export const UNREPLIED = 0
export const REPLIED = 1
export const ONLY = 0
/** Behind TCP's states. */
export const RETRANSMITTING = 10
export const UNACKNOWLEDGED = 11

const NUMBERS: Readonly<Record<TimedProtocol, number | undefined>> = {
  tcp: ip.PROTO_TCP,
  udp: ip.PROTO_UDP,
  udplite: ip.PROTO_UDPLITE,
  icmp: ip.PROTO_ICMP,
  icmpv6: ip.PROTO_ICMPV6,
  gre: ip.PROTO_GRE,
  sctp: ip.PROTO_SCTP,
  // Every protocol without a tracker of its own.
  generic: undefined,
}

interface Policy {
  readonly name: string
  readonly protocol: TimedProtocol
  /** In milliseconds. */
  readonly values: Int32Array
}

/** The timeouts of a protocol's flows. */
export interface FlowTimeouts {
  /** Milliseconds by place. */
  of(ct: number): Int32Array
}

export class Timeouts {
  readonly #sysctl: Sysctl
  readonly #extensions: Extensions
  /** By number, which is what flows keep; nothing has number 0. */
  readonly #policies: (Policy | undefined)[] = [undefined]

  /** Throws ERR_TIMEOUT_POLICY for a policy that cannot be. */
  constructor(sysctl: Sysctl, extensions: Extensions, policies: Readonly<Record<string, TimeoutPolicy>> = {}) {
    this.#sysctl = sysctl
    this.#extensions = extensions
    for (const [name, policy] of Object.entries(policies)) this.#define(name, policy)
  }

  #define(name: string, { protocol, ...given }: TimeoutPolicy): void {
    const refuse = (message: string): never => {
      throw new TunfilterError('ERR_TIMEOUT_POLICY', `timeouts: ${name}: ${message}`)
    }
    if (name === '' || Buffer.byteLength(name) > 31) refuse('expected a name of 1 to 31 bytes')
    if (!(protocol in TIMEOUTS))
      refuse(`there is no protocol '${protocol}': expected one of ${Object.keys(TIMEOUTS).join(', ')}`)
    const known = protocol as TimedProtocol
    const values = this.#defaults(known)
    const names = TIMEOUTS[known].map(([timeout]) => timeout as string)
    for (const [timeout, seconds] of Object.entries(given)) {
      const place = timeout === 'none' ? -1 : names.indexOf(timeout)
      if (place < 0)
        refuse(
          `${protocol} has no timeout '${timeout}': expected one of ${names.filter((n) => n !== 'none').join(', ')}`,
        )
      if (!Number.isInteger(seconds) || Number(seconds) < 0 || Number(seconds) > 2_000_000)
        refuse(`${timeout}: ${seconds}: expected seconds, 0 to 2000000`)
      values[place] = Number(seconds) * 1000
    }
    this.#policies.push({ name, protocol: known, values })
  }

  #defaults(protocol: TimedProtocol): Int32Array {
    const list: readonly Timeout[] = TIMEOUTS[protocol]
    return Int32Array.from(list, ([, from]) => 1000 * (typeof from === 'number' ? from : this.#sysctl[from]))
  }

  /** For a tracker. */
  for(protocol: TimedProtocol): FlowTimeouts {
    const defaults = this.#defaults(protocol)
    const extensions = this.#extensions
    const policies = this.#policies
    return {
      of: (ct) => {
        const { extras } = extensions
        if (extras === undefined) return defaults
        const policy = policies[extras[ct * EXTRA_WORDS + POLICY]]
        return policy === undefined ? defaults : policy.values
      },
    }
  }

  /**
   * The number of the policy of this name for a rule's protocol.
   * @returns 0 when there is none of the name, -1 when it is another protocol's
   */
  find(name: string, protocol: number): number {
    const at = this.#policies.findIndex((policy) => policy?.name === name)
    if (at < 0) return 0
    const wanted = NUMBERS[(this.#policies[at] as Policy).protocol]
    const own = Object.values(NUMBERS).includes(protocol)
    return (wanted === undefined ? !own : wanted === protocol) ? at : -1
  }
}
