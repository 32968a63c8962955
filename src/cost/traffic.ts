// Traffic for rules: flows aimed at what the rules name, mixed with random ones. The same rules and the same seed give the
// same flows. Most go through the router, some to it; protocols come in the shares that are asked for.

import type { RouterConfig } from '../config.ts'
import { seededRandom } from '../random.ts'
import { maskLength, maskWords, parseStrict } from '../rule/address.ts'
import type { Family, Network, RuleSet } from '../rule/model.ts'
import { PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP } from '../wire/ipv4.ts'
import { isHost, isWithin, type Words } from './host.ts'
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

interface Prefix extends Network {
  readonly device: string
}

export function drawFlows(count: number, mix: Mix, config: RouterConfig, ruleSets: readonly RuleSet[]): Flow[] {
  const draw = new Draw(mix, config, ruleSets[0]?.family ?? 4, ruleSets.flatMap(namedIn))
  const flows: Flow[] = []
  const seen = new Set<string>()
  for (let i = 0; i < count * TRIES && flows.length < count; i++) {
    const flow = draw.flow()
    const { source, destination, protocol, sport, dport } = flow
    const tuple = [source, destination, protocol, sport, dport].join(' ')
    if (seen.has(tuple)) continue
    seen.add(tuple)
    flows.push(flow)
  }
  return flows
}

class Draw {
  readonly #random = seededRandom(SEED)
  readonly #mix: Mix
  readonly #family: Family
  readonly #icmp: number
  readonly #devices: string[]
  readonly #own: readonly Prefix[]
  readonly #prefixes: Prefix[]
  /** Rules that a packet of the protocol can meet. */
  readonly #named = new Map<number, Named[]>()

  constructor(mix: Mix, config: RouterConfig, family: Family, named: readonly Named[]) {
    this.#mix = mix
    this.#family = family
    this.#icmp = family === 4 ? PROTO_ICMP : PROTO_ICMPV6
    this.#devices = Object.keys(config.devices)
    const own = Object.entries(config.devices).flatMap(([device, { addresses = [] }]) =>
      addresses.flatMap((text) => prefixOf(text, family, device)),
    )
    this.#own = own
    const routed = (config.routes ?? []).flatMap(({ to, dev, via, type = 'unicast' }) => {
      const hop = via === undefined ? undefined : parseStrict(via, family)
      const device = dev ?? own.find((prefix) => hop !== undefined && isWithin(hop, prefix))?.device
      const everything = (via ?? '0.0.0.0').includes(':') ? '::/0' : '0.0.0.0/0'
      return device === undefined || type !== 'unicast'
        ? []
        : prefixOf(to === 'default' ? everything : to, family, device)
    })
    const length = ({ mask }: Prefix) => maskLength(mask) ?? 0
    this.#prefixes = [...own.filter((prefix) => !isOne(prefix)), ...routed].sort((a, b) => length(b) - length(a))
    for (const protocol of [PROTO_TCP, PROTO_UDP, this.#icmp])
      this.#named.set(
        protocol,
        named.filter(
          (rule) =>
            rule.root !== 'OUTPUT' &&
            (rule.protocol ?? protocol) === protocol &&
            rule.in?.name !== 'lo' &&
            (protocol !== this.#icmp || (rule.sports === undefined && rule.dports === undefined)),
        ),
      )
  }

  flow(): Flow {
    const protocol = this.#protocol()
    const rules = this.#named.get(protocol) ?? []
    const aim = rules.length > 0 && this.#below(10) < AIMED ? rules[this.#below(rules.length)] : undefined
    const local = aim === undefined ? this.#below(100) < LOCAL : aim.root === 'INPUT'
    const named = aim?.in === undefined ? undefined : deviceOf(aim.in, this.#devices)
    let destination: Words
    let device: string
    if (local) {
      device = named ?? this.#one(this.#devices)
      const own = this.#own.filter((prefix) => prefix.device === device)
      destination =
        aim?.destination === undefined
          ? this.#one(own.length > 0 ? own : this.#own).address
          : this.#within(aim.destination)
    } else {
      const out = aim?.out === undefined ? undefined : deviceOf(aim.out, this.#devices)
      const others = this.#devices.filter((name) => name !== named)
      destination =
        aim?.destination === undefined
          ? this.#behind(out ?? this.#one(others.length > 0 ? others : this.#devices))
          : this.#within(aim.destination)
      const leaves = out ?? this.#deviceTowards(destination)
      const entries = this.#devices.filter((name) => name !== leaves)
      const source = aim?.source === undefined ? undefined : this.#deviceTowards(aim.source.address)
      device =
        named ?? (source === leaves ? undefined : source) ?? this.#one(entries.length > 0 ? entries : this.#devices)
    }
    const source = aim?.source === undefined ? this.#behind(device) : this.#within(aim.source)
    if (protocol === this.#icmp) return { device, source, destination, protocol, sport: this.#below(0x10000), dport: 0 }
    const sport = this.#port(aim?.sports) ?? 1024 + this.#below(0xfc00)
    const common = this.#below(2) === 0 ? this.#one(COMMON_PORTS) : 1 + this.#below(0xffff)
    return { device, source, destination, protocol, sport, dport: this.#port(aim?.dports) ?? common }
  }

  #protocol(): number {
    const { tcp, udp, icmp } = this.#mix
    const at = ((this.#random() >>> 0) / 2 ** 32) * (tcp + udp + icmp)
    return at < tcp ? PROTO_TCP : at < tcp + udp ? PROTO_UDP : this.#icmp
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

  #within({ address, mask }: Network): Words {
    for (let i = 0; ; i++) {
      const drawn = mask.map((word, at) => (address[at] & word) | (this.#random() & ~word))
      // Of everything that is IPv6 only 2000::/3 has hosts that everybody reaches.
      if (mask.length === 4 && mask[0] === 0) drawn[0] = 0x20000000 | (drawn[0] & 0x1fffffff)
      // A wide network holds addresses that no host has.
      if (i === TRIES || isHost(drawn)) return drawn
    }
  }

  /** An address of a host that is reached by the device. */
  #behind(device: string): Words {
    const prefixes = this.#prefixes.filter((prefix) => prefix.device === device)
    const anywhere = maskWords(0, this.#family)
    if (prefixes.length === 0) return this.#within({ address: anywhere, mask: anywhere })
    const prefix = this.#one(prefixes)
    const small = (maskLength(prefix.mask) ?? 0) > 32 * prefix.mask.length - 2
    for (let i = 0; ; i++) {
      const drawn = this.#within(prefix)
      const host = drawn.map((word, at) => word & ~prefix.mask[at])
      const none = host.every((word) => word === 0) || host.every((word, at) => word === ~prefix.mask[at])
      const fits = (!none && this.#deviceTowards(drawn) === device) || small
      if (i === TRIES || (fits && !this.#own.some(({ address }) => address.every((word, at) => word === drawn[at]))))
        return drawn
    }
  }

  #deviceTowards(address: Words): string | undefined {
    return this.#prefixes.find((prefix) => isWithin(address, prefix))?.device
  }
}

/** Addresses of the other family are left aside. */
function prefixOf(text: string, family: Family, device: string): Prefix[] {
  const [address, length] = text.split(' ')[0].split('/')
  const parsed = parseStrict(address, family)
  if (parsed === undefined) return []
  const mask = maskWords(length === undefined ? 32 * parsed.length : Number(length), family)
  return [{ address: parsed, mask, device }]
}

function isOne({ mask }: Network): boolean {
  return mask.every((word) => word === -1)
}
