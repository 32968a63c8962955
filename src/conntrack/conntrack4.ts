// Connection tracking for IPv4: its tuples in the records themselves, ICMP (nf_conntrack_icmpv4_error), and errors.

import type { Packet } from '../packet/packet.ts'
import * as icmp from '../wire/icmp.ts'
import { PROTO_ICMP } from '../wire/ipv4.ts'
import { icmpChecksumWrong } from './checksum.ts'
import { Conntrack, NOT_INVERTIBLE } from './conntrack.ts'
import { FlowTable } from './flows.ts'
import { ERROR_MESSAGE, MESSAGE, WRONG_MESSAGE } from './icmp.ts'
import { InnerTuple, innerTuple } from './icmp-error.ts'
import * as f from './record.ts'
import type { ConntrackParts } from './tracker.ts'

export class Conntrack4 extends Conntrack {
  readonly #inner = new InnerTuple()
  readonly #verify: boolean

  /** @param seed an int32 from a random source */
  constructor(parts: ConntrackParts, seed: number) {
    const { sysctl } = parts
    const flows = new FlowTable(sysctl['net.netfilter.nf_conntrack_max'], seed)
    super(parts, flows, { protocol: PROTO_ICMP, name: 'icmp', isRequest: icmp.isRequest })
    this.#verify = sysctl['net.netfilter.nf_conntrack_checksum'] !== 0
  }

  protected override lookUp(p: Packet, ports: number, key: number): number {
    return this.flows.find(p.source, p.destination, ports, key)
  }

  protected override lookUpLike(ct: number, direction: number): number {
    const { words } = this.flows
    const base = ct * f.WORDS
    const tuple = base + direction * f.TUPLE_WORDS
    const key = words[base + f.KEY + direction * f.KEY_STEP]
    return this.flows.find(words[tuple + f.SOURCE], words[tuple + f.DESTINATION], words[tuple + f.PORTS], key)
  }

  protected override hashOf(p: Packet, ports: number, key: number): number {
    return this.flows.hash(p.source, p.destination, ports, key)
  }

  protected override writeAddresses(p: Packet, ct: number): void {
    const { words } = this.flows
    const base = ct * f.WORDS
    words[base + f.SOURCE] = p.source
    words[base + f.DESTINATION] = p.destination
    words[base + f.TUPLE_WORDS + f.SOURCE] = p.destination
    words[base + f.TUPLE_WORDS + f.DESTINATION] = p.source
  }

  override writeTuple(
    ct: number,
    direction: number,
    [source]: readonly number[],
    [destination]: readonly number[],
  ): void {
    const at = ct * f.WORDS + direction * f.TUPLE_WORDS
    this.flows.words[at + f.SOURCE] = source
    this.flows.words[at + f.DESTINATION] = destination
  }

  protected override judgeMessage(p: Packet): number {
    if (p.transport === 0) return WRONG_MESSAGE
    if (this.#verify && icmpChecksumWrong(p)) return WRONG_MESSAGE
    const type = p.dport >>> 8
    if (type > icmp.MAX_TYPE) return WRONG_MESSAGE
    return icmp.isError(type) ? ERROR_MESSAGE : MESSAGE
  }

  protected override lookUpQuoted(p: Packet, direction: number): number {
    const inner = this.#inner
    if (!innerTuple(p, inner)) return -1
    const { flows } = this
    const key = f.keyIn(inner.protocol, p.zone, direction)
    const found = flows.find(inner.source, inner.destination, inner.ports, key)
    return found >= 0 && flows.destination(found >> 1, found & 1) === p.destination ? found : -1
  }

  override invertMessage(ports: number): number {
    const answer = icmp.inverseType((ports >>> 8) & 255)
    return answer < 0 ? NOT_INVERTIBLE : (ports & 0xffff00ff) | (answer << 8)
  }
}
