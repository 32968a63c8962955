// Place-holders: what Linux leaves to chance (a port picked after a clash, the IP id of the router's own packets) is bound at
// first sight, within its range, and stands for that value from then on. `$any` is bound to nothing.

import type { Field, Packet, Raw } from './model.ts'
import { addressText, DEFAULT, isHole } from './model.ts'

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
    if (known !== undefined) return known
    if ((typeof seen !== 'number' && typeof seen !== 'bigint') || seen < field.low || seen > field.high) return field
    if (field.hole !== 'any') this.values.set(field.hole, seen)
    return seen
  }

  /** Text (a conntrack or log line) with every `$name` that is bound replaced; `$any` stays. */
  fillText(text: string): string {
    return text.replace(/\$(\w+)(?:\[[^\]]*\])?/g, (whole, name: string) => {
      const value = this.values.get(name)
      return value === undefined ? whole : value > 65535 ? addressText(value) : String(value)
    })
  }
}
