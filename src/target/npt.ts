// Targets SNPT and DNPT (ip6t_NPT): stateless translation of IPv6 prefixes that leaves every checksum true (RFC 6296). The longer of
// both prefixes is replaced, whatever stood there, and 16 bits behind it take up the difference: those from 48 to 63 where
// the prefix ends before them, else the first behind bit 64 that are not all ones. An address without such bits cannot be
// translated, and its sender is told. In an ICMPv6 error the quoted packet's other end is translated too, if it had the prefix.

import { DROP } from '../hook/hook.ts'
import type { Packet } from '../packet/packet.ts'
import { formatAny, maskLength, maskWords, parseMask, parseStrict } from '../rule/address.ts'
import { CONTINUE, defineTarget } from '../rule/define.ts'
import type { Network } from '../rule/model.ts'
import { Problem, shown, unexpected, word } from '../rule/option.ts'
import { fold } from '../wire/checksum.ts'
import * as icmpv6 from '../wire/icmpv6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'

const LENGTH_MAX = 64
const EXPECTS = `a prefix ADDRESS/LENGTH of 1 to ${LENGTH_MAX} bits, without bits behind them`
/** 16-bit words of an address. */
const SUBNET = 3
const HOST = 4
const WORDS = 8

const prefix = word<Network>(
  EXPECTS,
  (text) => {
    const [written, length] = text.split(/\/(.*)/s)
    const address = parseStrict(written, 6)
    const mask = length === undefined ? undefined : parseMask(length, 6)
    if (address === undefined || mask === undefined) return unexpected(text, EXPECTS)
    const bits = maskLength(mask)
    if (bits === undefined || bits === 0 || bits > LENGTH_MAX || address.some((part, i) => (part & ~mask[i]) !== 0))
      return new Problem(`${shown(text)} is no such prefix: expected ${EXPECTS}`)
    return { address, mask }
  },
  ({ address, mask }) => `${formatAny(address)}/${maskLength(mask)}`,
)

const options = {
  'src-pfx': prefix.required().help('the prefix that the address has'),
  'dst-pfx': prefix.required().help('the prefix that it gets'),
}

/** A translation of addresses in packets. */
class Translation {
  readonly #from: Network
  readonly #to: Network
  readonly #mask: readonly number[]
  /** 16-bit word that takes up the difference; HOST for the first that can. */
  readonly #word: number
  /** What is added to it, in one's complement. */
  readonly #adjustment: number

  constructor(from: Network, to: Network) {
    const length = Math.max(maskLength(from.mask) ?? 0, maskLength(to.mask) ?? 0)
    this.#from = from
    this.#to = to
    this.#mask = maskWords(length, 6)
    this.#word = length <= 16 * SUBNET ? SUBNET : HOST
    this.#adjustment = fold(sumOf(from.address) + (~sumOf(to.address) & 0xffff))
  }

  /** Translates the address at an offset; false where it cannot be, and has the other prefix only. */
  map(view: DataView, at: number): boolean {
    for (let i = 0; i < 2; i++) {
      const offset = at + 4 * i
      view.setInt32(offset, (view.getInt32(offset) & ~this.#mask[i]) | this.#to.address[i])
    }
    let place = this.#word
    if (place === HOST) while (place < WORDS && view.getUint16(at + 2 * place) === 0xffff) place++
    if (place === WORDS) return false
    const sum = fold(view.getUint16(at + 2 * place) + this.#adjustment)
    view.setUint16(at + 2 * place, sum === 0xffff ? 0 : sum)
    return true
  }

  /** Whether the address at an offset has the prefix that is translated. */
  concerns(view: DataView, at: number): boolean {
    const { address, mask } = this.#from
    return (view.getInt32(at) & mask[0]) === address[0] && (view.getInt32(at + 4) & mask[1]) === address[1]
  }
}

function sumOf(address: readonly number[]): number {
  return fold(address.reduce((sum, part) => sum + (part >>> 16) + (part & 0xffff), 0))
}

/** Offset of the header that an ICMPv6 error right behind the IPv6 header quotes; 0 where there is none. */
function quotedAt({ view, start, length }: Packet): number {
  const quoted = start + ipv6.HEADER + icmpv6.HEADER
  if (view.getUint8(start + ipv6.NEXT_HEADER) !== ip.PROTO_ICMPV6 || quoted + ipv6.HEADER > start + length) return 0
  const type = view.getUint8(start + ipv6.HEADER + icmpv6.TYPE)
  return type >= icmpv6.DEST_UNREACHABLE && type <= icmpv6.PARAMETER_PROBLEM ? quoted : 0
}

function npt(name: string, of: string, hooks: readonly string[], field: number, quotedField: number) {
  return defineTarget({
    name,
    summary: `translates the prefix of the ${of} statelessly`,
    families: [6],
    tables: ['mangle'],
    hooks,
    terminal: false,
    options,
    list: (o) => `${name} src-pfx ${prefix.kind.format(o['src-pfx'])} dst-pfx ${prefix.kind.format(o['dst-pfx'])}`,
    target: (o, env) => {
      const translation = new Translation(o['src-pfx'], o['dst-pfx'])
      return (p) => {
        const { view, start } = p
        const at = start + field
        const whole = translation.map(view, at)
        if (field === ipv6.SOURCE) readSource(p, at)
        else readDestination(p, at)
        if (!whole) {
          // As on Linux, about the packet as it is now: a source is told only where its new prefix leads back to it.
          env.local6.error(p, icmpv6.PARAMETER_PROBLEM, icmpv6.HEADER_FIELD, field)
          return DROP
        }
        const quoted = quotedAt(p)
        if (quoted > 0 && translation.concerns(view, quoted + quotedField)) translation.map(view, quoted + quotedField)
        return CONTINUE
      }
    },
  })
}

function readSource(p: Packet, at: number): void {
  p.source = p.view.getInt32(at)
  p.source1 = p.view.getInt32(at + 4)
  p.source2 = p.view.getInt32(at + 8)
  p.source3 = p.view.getInt32(at + 12)
}

function readDestination(p: Packet, at: number): void {
  p.destination = p.view.getInt32(at)
  p.destination1 = p.view.getInt32(at + 4)
  p.destination2 = p.view.getInt32(at + 8)
  p.destination3 = p.view.getInt32(at + 12)
}

export const snpt = npt('SNPT', 'source', ['INPUT', 'POSTROUTING'], ipv6.SOURCE, ipv6.DESTINATION)
export const dnpt = npt('DNPT', 'destination', ['PREROUTING', 'OUTPUT'], ipv6.DESTINATION, ipv6.SOURCE)
