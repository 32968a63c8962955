// A message of SIP in a packet whose flow is translated: addresses are replaced where they stand, and the packet's text and lengths
// follow at once. Mirrors nf_nat_sip.

import type { Packet } from '../../packet/packet.ts'
import { replacePayload } from '../../packet/payload.ts'
import { format6 } from '../../wire/address6.ts'
import { PROTO_UDP } from '../../wire/ipv4.ts'
import * as udp from '../../wire/udp.ts'
import { addressText, type Helping, isEqual, textOf } from './helper.ts'
import * as sip from './sip-text.ts'

type Words = readonly number[]

export class Message {
  text: string
  readonly #p: Packet
  readonly #helping: Helping
  /** Where the payload begins in the slab. */
  readonly #at: number

  /** @param length of the message; the packet may go on behind it */
  constructor(p: Packet, helping: Helping, at: number, length: number) {
    this.#p = p
    this.#helping = helping
    this.#at = at
    this.text = textOf(p, at).slice(0, length)
  }

  /** Every function that writes says whether the packet had room. */
  #write({ at, length }: sip.Span, text: string): boolean {
    if (!replacePayload(this.#p, this.#at + at, length, Buffer.from(text, 'latin1'))) return false
    this.text = this.text.slice(0, at) + text + this.text.slice(at + length)
    return true
  }

  writeHost(host: sip.Span, address: Words, port: number): boolean {
    const text = addressOf(address)
    return this.#write(host, `${address.length === 1 ? text : `[${text}]`}:${port}`)
  }

  // ── session descriptions ────────────────────────────────────────────────────────────────────────────────────────────

  /** The address of an owner (`o`), which has to be there, or of a connection (`c`). */
  writeConnection(from: number, letter: 'o' | 'c', address: Words): boolean {
    const found = sip.connectionAt(this.text, from, letter, address.length)
    if (found === undefined) return letter === 'c'
    return this.#write(found, addressOf(address)) && this.#writeLength()
  }

  /** A medium's port. */
  writePort(at: number, port: number): boolean {
    return this.#write(sip.numberAt(this.text, at), String(port)) && this.#writeLength()
  }

  #writeLength(): boolean {
    const found = sip.numberIn(this.text, 'Content-Length')
    if (found === undefined || found === 'broken') return false
    return this.#write(found, String(this.text.length - sip.descriptionAt(this.text) + 'v='.length))
  }

  // ── headers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The flow's own addresses in the headers. @param forced a port that answers go to, 0 for none */
  translate(isResponse: boolean, forced: number): boolean {
    const words = this.#helping.flows.family === 4 ? 1 : 4
    if (!isResponse) {
      const target = sip.requestUri(this.text, words)
      if (!this.#map(target, forced)) return false
    }
    if (!this.#translateVia(isResponse, forced, words)) return false
    for (const name of ['Contact', 'From', 'To'])
      for (let from = 0, count = 0; count < sip.URIS_MAX; count++) {
        const [host] = sip.urisIn(this.text, name, words, from)
        if (host === undefined || host === 'broken') break
        const before = this.text.length
        if (!this.#map(host, forced)) return false
        from = host.at + host.length + this.text.length - before
        if (name !== 'Contact') break
      }
    return this.#p.direction === 0 || forced === 0 || this.#redirect(forced)
  }

  #translateVia(isResponse: boolean, forced: number, words: number): boolean {
    const { direction } = this.#p
    const own = this.#end(direction, !isResponse)
    const via = sip.viaHost(this.text, this.#p.protocol === PROTO_UDP ? 'UDP' : 'TCP', words)
    if (via === undefined || via === 'broken') return true
    if (!isEqual(via.address, own.address) || via.port !== own.port) return true
    const before = this.text.length
    if (!this.#map(via, forced)) return false
    const behind = via.at + via.length + this.text.length - before
    const source = this.#end(direction, true)
    const destination = this.#end(direction, false)
    const newSource = this.#end(direction ^ 1, false)
    const newDestination = this.#end(direction ^ 1, true)
    return (
      this.#mapParameter(behind, 'maddr=', source.address, newSource.address, true) &&
      this.#mapParameter(behind, 'received=', destination.address, newDestination.address, false) &&
      this.#mapPort(behind, destination.port, newDestination.port)
    )
  }

  #mapParameter(behind: number, name: string, from: Words, to: Words, brackets: boolean): boolean {
    const at = sip.parameterAt(this.text, behind, name)
    const found = at < 0 ? undefined : sip.addressAt(this.text, at, from.length)
    if (found === undefined || !isEqual(found.address, from) || isEqual(from, to)) return true
    return this.#write(found, brackets && to.length > 1 ? `[${addressOf(to)}]` : addressOf(to))
  }

  #mapPort(behind: number, from: number, to: number): boolean {
    const at = sip.parameterAt(this.text, behind, 'rport=')
    const found = at < 0 ? undefined : sip.numberAt(this.text, at)
    return found === undefined || found.value !== from || from === to || this.#write(found, String(to))
  }

  /** One end of a direction of the flow. */
  #end(direction: number, isSource: boolean): { readonly address: Words; readonly port: number } {
    const { flows } = this.#helping
    const { ct } = this.#p
    return isSource
      ? { address: flows.sourceWords(ct, direction), port: flows.sport(ct, direction) }
      : { address: flows.destinationWords(ct, direction), port: flows.dport(ct, direction) }
  }

  /** Replaces an address that is the flow's by what it is on the other side. */
  #map(host: sip.Host | 'broken' | undefined, forced: number): boolean {
    if (host === undefined || host === 'broken') return true
    const { direction } = this.#p
    const isEnd = (end: { address: Words; port: number }) =>
      isEqual(host.address, end.address) && host.port === end.port
    let other: { address: Words; port: number }
    if (isEnd(this.#end(direction, true))) other = this.#end(direction ^ 1, false)
    else if (isEnd(this.#end(direction, false))) {
      const end = this.#end(direction ^ 1, true)
      other = { address: end.address, port: forced || end.port }
    } else return true
    return isEnd(other) || this.writeHost(host, other.address, other.port)
  }

  /** Some telephones listen on a port that they do not send from. */
  #redirect(port: number): boolean {
    this.#p.view.setUint16(this.#p.transport + udp.DESTINATION_PORT, port)
    this.#p.dport = port
    return this.#write({ at: 0, length: 0 }, '')
  }
}

function addressOf(words: Words): string {
  return words.length === 1 ? addressText(words) : format6(words)
}
