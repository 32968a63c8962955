// NFLOG's packets as a capture: pcapng with link type NFLOG, an interface for each group, as `tcpdump -i nflog:GROUP -w` makes it. Each
// packet is a short header and attributes (type, length, value) with hook, prefix, mark and bytes. Which devices it was between is told
// in a comment, because the format only knows their numbers.

import { LINKTYPE_NFLOG } from '../device/pcapng/blocks.ts'
import { PcapngWriter } from '../device/pcapng/writer.ts'
import { HOOK_NAMES } from '../hook/hook.ts'
import type { NflogPacket } from '../nfnetlink/nflog.ts'

// Attributes, by Linux's numbers.
const PACKET_HEADER = 1
const MARK = 2
const PAYLOAD = 9
const PREFIX = 10

const AF_INET = 2
const AF_INET6 = 10
const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_IPV6 = 0x86dd

export class NflogFile {
  readonly #writer: PcapngWriter
  readonly #interfaces = new Map<number, number>()
  readonly #collected: NflogPacket[] = []

  /** @param file a path, which is made anew, or `-` for standard output. Throws ERR_CAPTURE_FILE. */
  constructor(file: string) {
    this.#writer = new PcapngWriter(file, [], { resolution: 6, linkType: LINKTYPE_NFLOG })
  }

  /** Takes packets; they are written by flush(). */
  collect(packets: readonly NflogPacket[]): void {
    this.#collected.push(...packets)
  }

  /** Writes what was collected. Throws ERR_CAPTURE_FILE. */
  flush(): void {
    if (this.#collected.length === 0) return
    for (const packet of this.#collected.splice(0)) {
      const time = BigInt(Math.floor(packet.time * 1000)) * 1000n
      const { inDevice, outDevice, hook } = packet
      const comment = `${hook.toUpperCase()} IN=${inDevice} OUT=${outDevice}`
      this.#writer.write(this.#interface(packet.group), time, frame(packet), comment)
    }
    this.#writer.flush()
  }

  close(): void {
    this.flush()
    this.#writer.close()
  }

  #interface(group: number): number {
    const known = this.#interfaces.get(group)
    if (known !== undefined) return known
    const number = this.#interfaces.size
    this.#writer.addInterface(`nflog:${group}`)
    this.#interfaces.set(group, number)
    return number
  }
}

function frame({ family, hook, group, prefix, mark, payload }: NflogPacket): Uint8Array {
  const protocol = family === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6
  const place = HOOK_NAMES.indexOf(hook.toUpperCase() as (typeof HOOK_NAMES)[number])
  return Buffer.concat([
    Uint8Array.of(family === 4 ? AF_INET : AF_INET6, 0, group >>> 8, group & 0xff),
    attribute(PACKET_HEADER, Uint8Array.of(protocol >>> 8, protocol & 0xff, place, 0)),
    ...(mark === 0 ? [] : [attribute(MARK, Uint8Array.of(mark >>> 24, mark >>> 16, mark >>> 8, mark))]),
    ...(prefix === '' ? [] : [attribute(PREFIX, Buffer.from(`${prefix}\0`))]),
    attribute(PAYLOAD, payload),
  ])
}

/** Length and type in the order of the capturing machine, which is the file's; filled up to four bytes. */
function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc((4 + value.length + 3) & ~3)
  bytes.writeUInt16LE(4 + value.length, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.set(value, 4)
  return bytes
}
