// A Packet as one line, in one order: protocol, endpoints, transport fields, payload or quote, IP fields.

import type { Field, Packet, Payload, Raw } from './model.ts'
import { addressText, HEXADECIMAL, ICMP_NAMES, IP_FIELDS, IP_FLAGS, isHole, L4_FIELDS, TCP_FLAGS } from './model.ts'

export function printPacket(packet: Packet | Raw): string {
  if (packet.proto === 'raw') return packet.hex === '' ? 'raw' : `raw ${packet.hex}`
  const { fields, ipFlags } = packet
  const words = [packet.proto, endpoint(packet.source, packet.sourcePort), '>']
  words.push(endpoint(packet.destination, packet.destinationPort))
  const icmp = ICMP_NAMES.find(([, type, code]) => fields.type === type && (fields.code ?? 0) === code)
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
  for (const name of IP_FIELDS) {
    const value = fields[name]
    if (value !== undefined) words.push(name, fieldText(name, value))
    if (name === 'ttl' && packet.ipOptions) words.push('opts', packet.ipOptions)
  }
  return words.join(' ')
}

function endpoint(address: Field, port: Field | undefined): string {
  const text = fieldText('gw', address)
  return port === undefined ? text : `${text}:${fieldText('port', port)}`
}

function fieldText(name: string, value: Field): string {
  if (isHole(value)) return `$${value.hole}[${fieldText(name, value.low)}-${fieldText(name, value.high)}]`
  if (value === 'bad') return value
  if (name === 'gw') return addressText(value)
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
