// A Packet as one line, in one order: protocol, endpoints, transport fields, payload or quote, IP fields.

import type { Extension, Field, Packet, Payload, Raw } from './model.ts'
import {
  addressText,
  EXTENSION_NAMES,
  HEXADECIMAL,
  IP_FIELDS,
  IP_FLAGS,
  IP6_FIELDS,
  isHole,
  L4_FIELDS,
  namesOf,
  TCP_FLAGS,
} from './model.ts'

export function printPacket(packet: Packet | Raw): string {
  if (packet.proto === 'raw') return packet.hex === '' ? 'raw' : `raw ${packet.hex}`
  const { fields, ipFlags } = packet
  const words = [packet.proto, endpoint(packet.source, packet.sourcePort), '>']
  words.push(endpoint(packet.destination, packet.destinationPort))
  const icmp = namesOf(packet.proto).find(([, type, code]) => fields.type === type && (fields.code ?? 0) === code)
  if (packet.tcpFlags !== undefined) words.push(tcpFlags(packet.tcpFlags))
  if (icmp) words.push(icmp[0])
  for (const name of L4_FIELDS) {
    const value = fields[name]
    if (value !== undefined && !(icmp && (name === 'type' || name === 'code'))) words.push(name, fieldText(name, value))
  }
  if (packet.tcpOptions) words.push(`<${packet.tcpOptions.join(',')}>`)
  if (packet.payload) words.push(payload(packet.payload))
  if (packet.inner) words.push('[', printPacket(packet.inner), ']')
  for (const flag of Object.keys(IP_FLAGS) as (keyof typeof IP_FLAGS)[]) if (ipFlags.has(flag)) words.push(flag)
  for (const extension of packet.extensions ?? []) words.push(extensionText(extension))
  for (const name of packet.family === 6 ? IP6_FIELDS : IP_FIELDS) {
    const value = fields[name]
    if (value !== undefined) words.push(name, fieldText(name, value))
    if (name === 'ttl' && packet.ipOptions) words.push('opts', packet.ipOptions)
  }
  return words.join(' ')
}

function endpoint(address: Field, port: Field | undefined): string {
  const text = fieldText('gw', address)
  const wide = typeof (isHole(address) ? address.high : address) === 'bigint'
  if (wide && (port !== undefined || isHole(address))) {
    return port === undefined ? `[${text}]` : `[${text}]:${fieldText('port', port)}`
  }
  return port === undefined ? text : `${text}:${fieldText('port', port)}`
}

function extensionText(extension: Extension): string {
  if (!('hex' in extension)) return `fh:${extension.offset}${extension.more ? '+' : ''}:${fieldText('', extension.id)}`
  const { kind, hex } = extension
  const name = EXTENSION_NAMES.find(([, known]) => known === kind)?.[0]
  const natural = hex.length >= 14 && Number.parseInt(hex.slice(0, 2), 16) * 8 + 7 === hex.length / 2
  return name !== undefined && natural ? `${name}:${hex.slice(2)}` : `x${kind}:${hex}`
}

function fieldText(name: string, value: Field): string {
  if (isHole(value) && value.turned) return `${value.plus}-$${value.hole}`
  if (isHole(value) && value.plus !== undefined) return `$${value.hole}${value.plus < 0 ? '' : '+'}${value.plus}`
  if (isHole(value)) return `$${value.hole}[${fieldText(name, value.low)}-${fieldText(name, value.high)}]`
  if (value === 'bad') return value
  if (name === 'gw' || typeof value === 'bigint') return addressText(value)
  return HEXADECIMAL.has(name) ? `0x${value.toString(16)}` : String(value)
}

function tcpFlags(flags: number): string {
  return (
    TCP_FLAGS.filter(([, bit]) => flags & bit)
      .map(([letter]) => letter)
      .join('') || 'none'
  )
}

function payload(payload: Payload): string {
  if (payload.kind === 'text') return JSON.stringify(payload.text)
  if (payload.kind === 'hex') return `hex ${payload.hex}`
  return payload.from === 0 ? `len ${payload.length}` : `len ${payload.length} from ${payload.from}`
}
