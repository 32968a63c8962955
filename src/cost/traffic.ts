// Traffic for rules: flows aimed at what the rules name, mixed with random ones. The same rules and the same seed give the
// same flows. Most go through the router, some to it; protocols come in the shares that are asked for.

import type { RouterConfig } from '../config.ts'
import { seededRandom } from '../random.ts'
import type { RuleSet } from '../rule/model.ts'
import { maskOf, parseAddress } from '../wire/address.ts'
import { isLoopback, isMulticast, PROTO_ICMP, PROTO_TCP, PROTO_UDP } from '../wire/ipv4.ts'
import { type Named, namedIn } from './named.ts'
import type { Tuple } from './packets.ts'
import { deviceOf } from './router.ts'

/** Shares, of 100 or of whatever they add up to. */
export interface Mix {
  readonly tcp: number
  readonly udp: number
  readonly icmp: number
}

export interface Flow extends Tuple {
  /** The device that its packets enter by. */
  readonly device: string
}

const SEED = 0x7f117e5
/** Of ten flows so many are aimed at a rule, and of a hundred others so many at the router itself. */
const AIMED = 7
const LOCAL = 10
const COMMON_PORTS = [80, 443, 53, 22, 25, 123, 993, 8080]
const TRIES = 20

interface Prefix {
  readonly address: number
  readonly mask: number
  readonly device: string
}

export function drawFlows(count: number, mix: Mix, config: RouterConfig, ruleSets: readonly RuleSet[]): Flow[] {
  const draw = new Draw(mix, config, ruleSets.flatMap(namedIn))
  const flows: Flow[] = []
  const seen = new Set<string>()
  for (let i = 0; i < count * TRIES && flows.length < count; i++) {
    const flow = draw.flow()
    const { source, destination, protocol, sport, dport } = flow
    const tuple = `${source} ${destination} ${protocol} ${sport} ${dport}`
    if (seen.has(tuple)) continue
    seen.add(tuple)
    flows.push(flow)
  }
  return flows
}

class Draw {
  readonly #random = seededRandom(SEED)
  readonly #mix: Mix
  readonly #devices: string[]
  readonly #own: readonly Prefix[]
  readonly #prefixes: Prefix[]
  /** Rules that a packet of the protocol can meet. */
  readonly #named = new Map<number, Named[]>()

  constructor(mix: Mix, config: RouterConfig, named: readonly Named[]) {
    this.#mix = mix
    this.#devices = Object.keys(config.devices)
    const own = Object.entries(config.devices).flatMap(([device, { addresses = [] }]) =>
      addresses.flatMap((text) => prefixOf(text, device)),
    )
    this.#own = own
    const routed = (config.routes ?? []).flatMap(({ to, dev, via, type = 'unicast' }) => {
      const hop = via === undefined ? undefined : parseAddress(via)
      const device = dev ?? own.find(({ address, mask }) => hop !== undefined && ((address ^ hop) & mask) === 0)?.device
      return device === undefined || type !== 'unicast' ? [] : prefixOf(to === 'default' ? '0.0.0.0/0' : to, device)
    })
    this.#prefixes = [...own.filter(({ mask }) => mask !== -1), ...routed].sort(
      (a, b) => (b.mask >>> 0) - (a.mask >>> 0),
    )
    for (const protocol of [PROTO_TCP, PROTO_UDP, PROTO_ICMP])
      this.#named.set(
        protocol,
        named.filter(
          (rule) =>
            rule.root !== 'OUTPUT' &&
            (rule.protocol ?? protocol) === protocol &&
            rule.in?.name !== 'lo' &&
            (protocol !== PROTO_ICMP || (rule.sports === undefined && rule.dports === undefined)),
        ),
      )
  }

  flow(): Flow {
    const protocol = this.#protocol()
    const rules = this.#named.get(protocol) ?? []
    const aim = rules.length > 0 && this.#below(10) < AIMED ? rules[this.#below(rules.length)] : undefined
    const local = aim === undefined ? this.#below(100) < LOCAL : aim.root === 'INPUT'
    const named = aim?.in === undefined ? undefined : deviceOf(aim.in, this.#devices)
    let destination: number
    let device: string
    if (local) {
      device = named ?? this.#one(this.#devices)
      const own = this.#own.filter((prefix) => prefix.device === device)
      destination =
        aim?.destination === undefined
          ? this.#one(own.length > 0 ? own : this.#own).address
          : this.#within(aim.destination.address[0], aim.destination.mask[0])
    } else {
      const out = aim?.out === undefined ? undefined : deviceOf(aim.out, this.#devices)
      const others = this.#devices.filter((name) => name !== named)
      destination =
        aim?.destination === undefined
          ? this.#behind(out ?? this.#one(others.length > 0 ? others : this.#devices))
          : this.#within(aim.destination.address[0], aim.destination.mask[0])
      const leaves = out ?? this.#deviceTowards(destination)
      const entries = this.#devices.filter((name) => name !== leaves)
      const source = aim?.source === undefined ? undefined : this.#deviceTowards(aim.source.address[0])
      device =
        named ?? (source === leaves ? undefined : source) ?? this.#one(entries.length > 0 ? entries : this.#devices)
    }
    const source =
      aim?.source === undefined ? this.#behind(device) : this.#within(aim.source.address[0], aim.source.mask[0])
    if (protocol === PROTO_ICMP) return { device, source, destination, protocol, sport: this.#below(0x10000), dport: 0 }
    const sport = this.#port(aim?.sports) ?? 1024 + this.#below(0xfc00)
    const common = this.#below(2) === 0 ? this.#one(COMMON_PORTS) : 1 + this.#below(0xffff)
    return { device, source, destination, protocol, sport, dport: this.#port(aim?.dports) ?? common }
  }

  #protocol(): number {
    const { tcp, udp, icmp } = this.#mix
    const at = ((this.#random() >>> 0) / 2 ** 32) * (tcp + udp + icmp)
    return at < tcp ? PROTO_TCP : at < tcp + udp ? PROTO_UDP : PROTO_ICMP
  }

  #below(n: number): number {
    return (this.#random() >>> 0) % n
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#below(of.length)]
  }

  #port(ranges: readonly number[] | undefined): number | undefined {
    if (ranges === undefined || ranges.length === 0) return undefined
    const at = this.#below(ranges.length >> 1) << 1
    return ranges[at] + this.#below(Math.max(ranges[at + 1] - ranges[at] + 1, 1))
  }

  #within(address: number, mask: number): number {
    for (let i = 0; ; i++) {
      const drawn = (address & mask) | (this.#random() & ~mask)
      // A wide network holds addresses that no host has.
      if (i === TRIES || isHost(drawn)) return drawn
    }
  }

  /** An address of a host that is reached by the device. */
  #behind(device: string): number {
    const prefixes = this.#prefixes.filter((prefix) => prefix.device === device)
    if (prefixes.length === 0) return this.#within(0, 0)
    const { address, mask } = this.#one(prefixes)
    for (let i = 0; ; i++) {
      const drawn = this.#within(address, mask)
      const host = drawn & ~mask
      const fits = (host !== 0 && host !== ~mask && this.#deviceTowards(drawn) === device) || mask >>> 0 > 0xfffffffc
      if (i === TRIES || (fits && !this.#own.some((own) => own.address === drawn))) return drawn
    }
  }

  #deviceTowards(address: number): string | undefined {
    return this.#prefixes.find((prefix) => ((prefix.address ^ address) & prefix.mask) === 0)?.device
  }
}

/** Addresses of IPv6 are left aside. */
function prefixOf(text: string, device: string): Prefix[] {
  const [address, length = '32'] = text.split(' ')[0].split('/')
  const parsed = parseAddress(address)
  return parsed === undefined ? [] : [{ address: parsed, mask: maskOf(Number(length)), device }]
}

function isHost(address: number): boolean {
  const first = address >>> 24
  return first !== 0 && first < 240 && !isLoopback(address) && !isMulticast(address)
}
