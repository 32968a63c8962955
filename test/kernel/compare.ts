// The kernel and the engine side by side, without a scenario's expectations: for generated cases. Packets are compared by all of
// their bytes but for what Linux leaves to chance: the IP id of the router's own packets (of IPv6: the identification of its fragments), and ports and identifiers that NAT
// picked. What the kernel picked then corresponds to what the engine picked, one to one, from there on.

import { update16 } from '../../src/wire/checksum.ts'
import { decode, describePacket, encode, hexOf, type Packet, type Raw } from '../support/packet/index.ts'
import type { StepResult } from '../support/scenario/run.ts'
import type { Sent } from '../support/scenario/subject.ts'
import { sameConntrack, tablesOf, textLines } from '../support/scenario/text.ts'

export interface Difference {
  readonly where: string
  readonly kernel: string
  readonly engine: string
}

/** Linux picks a port of the class of the one that was asked for. */
const classOf = (port: number) => (port < 512 ? 0 : port < 1024 ? 1 : 2)

export class Correspondence {
  private readonly toEngine = new Map<number, number>()
  private readonly toKernel = new Map<number, number>()
  /** IP ids that were handed in. */
  private readonly ids = new Set<number>()
  /**
   * Those of the packets that what is compared next answers to: a packet with one of these was forwarded, and keeps it. Not those of
   * earlier packets: the router's own may have the same by chance.
   */
  private readonly lately = new Set<number>()
  /** Those that were the same on both sides, in packets that were. */
  private readonly equal = new Set<number>()
  /** Identifications of IPv6 that were handed in, and what the others, of fragments that the router made, correspond to. */
  private readonly fragments = new Set<number>()
  private readonly fragmentToEngine = new Map<number, number>()
  private readonly fragmentToKernel = new Map<number, number>()
  /** Ports and identifiers that were handed in: others in a list of flows were picked by whose list it is, and seen nowhere else. */
  private readonly ports = new Set<number>()

  /** The packet for the engine that corresponds to one for the kernel. To be called for all that goes in. */
  translate(bytes: Uint8Array): Uint8Array {
    if (bytes.length >= 6) {
      this.ids.add((bytes[4]! << 8) | bytes[5]!)
      this.lately.add((bytes[4]! << 8) | bytes[5]!)
    }
    const packet = decode(bytes)
    if (packet.proto === 'raw') return bytes
    for (let each: Packet | Raw | undefined = packet; each !== undefined && each.proto !== 'raw'; each = each.inner) {
      const id = fragmentId(each)
      if (id !== undefined && !this.fragmentToEngine.has(id)) this.fragments.add(id)
    }
    for (const port of [packet.sourcePort, packet.destinationPort, packet.fields.id])
      if (typeof port === 'number') this.ports.add(port)
    if (this.toEngine.size === 0 && this.fragmentToEngine.size === 0) return bytes
    return encode(this.mapped(packet, (port) => this.toEngine.get(port) ?? port))
  }

  /** Whether both are the same packet, up to what corresponds. */
  same(kernel: Uint8Array, engine: Uint8Array): boolean {
    if (hexOf(kernel) === hexOf(engine)) {
      const packet = decode(kernel)
      if (packet.proto !== 'raw')
        for (const port of [packet.sourcePort, packet.destinationPort, packet.fields.id])
          if (typeof port === 'number') this.equal.add(port)
      return true
    }
    const [ours, theirs] = [decode(kernel), decode(engine)]
    if (ours.proto === 'raw' || theirs.proto === 'raw' || !this.learn(ours, theirs)) return false
    const expected = this.mapped(ours, (port) => this.toEngine.get(port) ?? port)
    const id = theirs.fields.ipid ?? 0
    if (!this.lately.has(Number(expected.fields.ipid ?? 0)) && !this.lately.has(Number(id))) expected.fields.ipid = id
    try {
      return hexOf(encode(expected)) === hexOf(engine)
    } catch {
      return false
    }
  }

  /** All that left because of what was handed in has been compared. */
  settle(): void {
    this.lately.clear()
  }

  /** A LOG line without the IP id of a packet of the router's own. */
  logged(line: string): string {
    return line
      .trimEnd()
      .replace(/ ID=(\d+) /, (all, id: string) => (this.ids.has(Number(id)) ? all : ' ID=any '))
      .replace(/ ID:([\da-f]{8}) /g, (all, id: string) =>
        this.fragments.has(Number.parseInt(id, 16)) ? all : ' ID:any ',
      )
  }

  /** A text with the kernel's ports replaced by the engine's, where conntrack and LOG print ports and identifiers. */
  text(line: string): string {
    return line.replace(/\b(sport=|dport=|id=|SPT=|DPT=| ID=)(\d+)/g, (_, name: string, port: string) => {
      return `${name}${this.toEngine.get(Number(port)) ?? port}`
    })
  }

  /**
   * A line of conntrack without the ports and identifiers that no packet has had, and without those of a pair that is not the only one:
   * one that was picked may stand for several flows to different places. Of those only the class is the same.
   */
  listed(line: string): string {
    const ambiguous = this.ambiguous()
    const seen = (port: number) => this.ports.has(port) || this.toEngine.has(port) || this.toKernel.has(port)
    return line.replace(/\b(sport|dport|id)=(\d+)/g, (all, name: string, text: string) => {
      const port = Number(text)
      if (seen(port) && !ambiguous.has(port)) return all
      return name === 'id' ? 'id=any' : `${name}=any of class ${classOf(port)}`
    })
  }

  private ambiguous(): Set<number> {
    const ports = new Set<number>()
    for (const [a, b] of this.toEngine)
      if (
        a !== b &&
        [a, b].some((port) => this.equal.has(port) || (this.toEngine.has(port) && this.toKernel.has(port)))
      )
        ports.add(a).add(b)
    return ports
  }

  private learn(ours: Packet, theirs: Packet): boolean {
    for (const [a, b] of [
      [ours.sourcePort, theirs.sourcePort],
      [ours.destinationPort, theirs.destinationPort],
      [ours.fields.id, theirs.fields.id],
    ]) {
      if (a === b) continue
      if (typeof a !== 'number' || typeof b !== 'number') return false
      if (this.toEngine.has(a) || this.toKernel.has(b)) {
        if (this.toEngine.get(a) !== b) return false
      } else if (!ours.proto.startsWith('icmp') && classOf(a) !== classOf(b)) return false
      this.toEngine.set(a, b)
      this.toKernel.set(b, a)
    }
    if (!this.learnFragment(fragmentId(ours), fragmentId(theirs))) return false
    if (ours.inner && theirs.inner && ours.inner.proto !== 'raw' && theirs.inner.proto !== 'raw')
      return this.learn(ours.inner, theirs.inner)
    return true
  }

  private learnFragment(a: number | undefined, b: number | undefined): boolean {
    if (a === b) return true
    if (a === undefined || b === undefined || this.fragments.has(a) || this.fragments.has(b)) return false
    if (this.fragmentToEngine.has(a) || this.fragmentToKernel.has(b)) return this.fragmentToEngine.get(a) === b
    this.fragmentToEngine.set(a, b)
    this.fragmentToKernel.set(b, a)
    return true
  }

  private mapped(packet: Packet, port: (port: number) => number): Packet {
    const result: Packet = { ...packet, fields: { ...packet.fields } }
    if (typeof packet.sourcePort === 'number') result.sourcePort = port(packet.sourcePort)
    if (typeof packet.destinationPort === 'number') result.destinationPort = port(packet.destinationPort)
    if (typeof packet.fields.id === 'number') result.fields.id = port(packet.fields.id)
    if (packet.extensions)
      result.extensions = packet.extensions.map((each) =>
        'id' in each && typeof each.id === 'number'
          ? { ...each, id: this.fragmentToEngine.get(each.id) ?? each.id }
          : each,
      )
    if (packet.inner) result.inner = this.inner(packet.inner, port)
    // The first fragment's checksum covers what is not in it: it follows the ports that it does have.
    // A sum that is not right for what is quoted goes on being wrong by as much.
    const [was, is] = [quotedFragment(packet), quotedFragment(result)]
    if (typeof result.fields.sum === 'number' && was !== undefined && is !== undefined) {
      result.fields.sum = update16(result.fields.sum, was >>> 16, is >>> 16)
      result.fields.sum = update16(result.fields.sum, was & 0xffff, is & 0xffff)
    }
    // UDP's 0 is none.
    if (typeof result.fields.sum === 'number' && !(packet.proto === 'udp' && packet.fields.sum === 0))
      for (const [before, after] of [
        [packet.sourcePort, result.sourcePort],
        [packet.destinationPort, result.destinationPort],
        [packet.fields.id, result.fields.id],
      ])
        if (typeof before === 'number' && typeof after === 'number')
          result.fields.sum = update16(result.fields.sum, before, after)
    return result
  }

  private inner(inner: Packet | Raw, port: (port: number) => number): Packet | Raw {
    return inner.proto === 'raw' ? inner : this.mapped(inner, port)
  }
}

/** Of IPv6's fragment header, where there is one. */
function fragmentId({ extensions = [] }: Packet): number | undefined {
  for (const each of extensions) if ('id' in each && typeof each.id === 'number') return each.id
  return undefined
}

const quotedFragment = ({ inner }: Packet) =>
  inner === undefined || inner.proto === 'raw' ? undefined : fragmentId(inner)

/** Packet by packet and device by device. */
export function compareSent(where: string, kernel: Sent, engine: Sent, correspondence: Correspondence): Difference[] {
  const differences: Difference[] = []
  for (const device of new Set([...kernel.keys(), ...engine.keys()])) {
    const [ours, theirs] = [kernel.get(device) ?? [], engine.get(device) ?? []]
    for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
      const [a, b] = [ours[i], theirs[i]]
      if (a && b && correspondence.same(a, b)) continue
      const text = (bytes: Uint8Array | undefined) => (bytes ? describePacket(bytes) : 'nothing')
      differences.push({ where: `${where}, packet ${i + 1} out of ${device}`, kernel: text(a), engine: text(b) })
    }
  }
  correspondence.settle()
  return differences
}

/** Lines of iptables-save -c, of the tables that the engine has. */
export function compareCounters(where: string, kernel: string, engine: string): Difference[] {
  const [ours, theirs] = [tablesOf(kernel), tablesOf(engine)]
  return [...theirs].flatMap(([table, lines]) => compareLines(`${where}, table ${table}`, ours.get(table) ?? [], lines))
}

/** Lines of conntrack -L -o extended, in any order. The kernel's timeouts may be `slack` seconds shorter. */
export function compareConntrack(
  where: string,
  kernel: string,
  engine: string,
  c: Correspondence,
  slack = 1,
): Difference[] {
  const theirs = textLines(engine)
    .map((line) => c.listed(line))
    .sort()
  const ours = textLines(kernel)
    .map((line) => c.listed(c.text(line)))
    .sort()
  return compareLines(`${where}, conntrack`, sameConntrack(theirs, ours, slack), theirs)
}

export function compareLines(where: string, kernel: readonly string[], engine: readonly string[]): Difference[] {
  const differences: Difference[] = []
  for (let i = 0; i < Math.max(kernel.length, engine.length); i++)
    if (kernel[i] !== engine[i])
      differences.push({
        where: `${where}, line ${i + 1}`,
        kernel: kernel[i] ?? 'nothing',
        engine: engine[i] ?? 'nothing',
      })
  return differences
}

/** Two runs of one scenario, step by step. */
export function compareRuns(kernel: readonly StepResult[], engine: readonly StepResult[]): Difference[] {
  return engine.flatMap((result, i) =>
    kernel[i]?.skipped ? [] : compareLines(result.title, kernel[i]?.got ?? ['no such step'], result.got),
  )
}

export function differenceText(differences: readonly Difference[]): string {
  return differences.map(({ where, kernel, engine }) => `${where}\n  kernel ${kernel}\n  engine ${engine}`).join('\n')
}
