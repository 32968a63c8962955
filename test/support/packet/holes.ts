// Place-holders: what Linux leaves to chance (a port picked after a clash, the IP id of the router's own packets) is bound at
// first sight, within its range, and stands for that value from then on. `$any` is bound to nothing.

import type { Field, Hole, Packet, Raw } from './model.ts'
import { addressText, DEFAULT, isHole } from './model.ts'
import { computedHole } from './parse.ts'

function computed({ plus, turned }: Hole, value: number | bigint): number | bigint {
  if (plus === undefined) return value
  return Number(BigInt.asUintN(32, turned ? BigInt(plus) - BigInt(value) : BigInt(value) + BigInt(plus)))
}

function optionHole(text: string): Hole {
  const [, hole, low = '0', high = '4294967295'] = /^\$(\w+)(?:\[(\d+)-(\d+)\])?$/.exec(text) ?? []
  const found = hole === undefined ? computedHole(text) : { hole, low: Number(low), high: Number(high) }
  if (found === undefined) throw new SyntaxError(`"${text}" is not a place-holder`)
  return found
}

export class Bindings {
  private readonly values = new Map<string, number | bigint>()

  /** The packet with every place-holder filled: from what is bound, or else from the packet that was seen. */
  fill(packet: Packet | Raw, seen?: Packet | Raw): Packet | Raw {
    if (packet.proto === 'raw') return packet
    const same = seen?.proto === packet.proto ? (seen as Packet) : undefined
    const filled: Packet = { ...packet, fields: { ...packet.fields } }
    filled.source = this.value(packet.source, same?.source) ?? packet.source
    filled.destination = this.value(packet.destination, same?.destination) ?? packet.destination
    const ports = [
      this.value(packet.sourcePort, same?.sourcePort),
      this.value(packet.destinationPort, same?.destinationPort),
    ]
    if (ports[0] !== undefined) filled.sourcePort = ports[0]
    if (ports[1] !== undefined) filled.destinationPort = ports[1]
    for (const name of Object.keys(packet.fields) as (keyof Packet['fields'])[]) {
      const value = this.value(
        packet.fields[name],
        same ? (same.fields[name] ?? DEFAULT[name as 'ttl'] ?? 0) : undefined,
      )
      if (value !== undefined) filled.fields[name] = value
    }
    if (packet.tcpOptions)
      filled.tcpOptions = packet.tcpOptions.map((option, i) => this.option(option, same?.tcpOptions?.[i]))
    if (packet.extensions)
      filled.extensions = packet.extensions.map((extension, i) => {
        const other = same?.extensions?.[i]
        if ('hex' in extension) return extension
        const id = this.value(extension.id, other && !('hex' in other) ? other.id : undefined)
        return { ...extension, id: id ?? extension.id }
      })
    if (packet.inner) filled.inner = this.fill(packet.inner, same?.inner)
    return filled
  }

  private value(field: Field | undefined, seen: Field | undefined): Field | undefined {
    if (!isHole(field)) return field
    const known = this.values.get(field.hole)
    if (known !== undefined) return computed(field, known)
    if (field.plus !== undefined) return field
    if ((typeof seen !== 'number' && typeof seen !== 'bigint') || seen < field.low || seen > field.high) return field
    if (field.hole !== 'any') this.values.set(field.hole, seen)
    return seen
  }

  /** `ts $stamp[0-4294967295] 7`: each number of an option that is there, too. */
  private option(written: string, seen: string | undefined): string {
    const others = seen?.split(/[ :]/)
    let at = 0
    return written.replace(/[^ :]+/g, (text) => {
      const other = Number(others?.[at++])
      if (!text.includes('$')) return text
      const value = this.value(optionHole(text), Number.isNaN(other) ? undefined : other)
      return isHole(value) ? text : String(value)
    })
  }

  /** Text (a conntrack or log line) with every `$name` that is bound replaced; `$any` stays. */
  fillText(text: string): string {
    return text.replace(/\$(\w+)(?:\[[^\]]*\])?/g, (whole, name: string) => {
      const value = this.values.get(name)
      return value === undefined ? whole : value > 65535 ? addressText(value) : String(value)
    })
  }
}
