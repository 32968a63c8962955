// A gateway as it is written in Node with streams: a Duplex for each TUN device, an object for each packet, a Map of flows by
// strings, DataView-like reads of a Buffer, checksums summed anew. It masquerades IPv4, and knows no rules, states or timeouts.
//
//   node streams.js OUTSIDE     descriptor 0 is the device of the clients, 1 that of the servers; both block
//
// It is here to be compared with.

import { read, write } from 'node:fs'
import { Duplex } from 'node:stream'

class Tun extends Duplex {
  constructor(fd) {
    super({ allowHalfOpen: true })
    this.fd = fd
  }

  _read() {
    const buffer = Buffer.alloc(2048)
    read(this.fd, buffer, 0, buffer.length, null, (error, length) => {
      if (error) this.destroy(error)
      else this.push(buffer.subarray(0, length))
    })
  }

  _write(packet, _encoding, done) {
    write(this.fd, packet, 0, packet.length, null, (error) => done(error))
  }
}

const TCP = 6
const UDP = 17

/** The packet as an object; undefined for what is not forwarded. */
function parse(buffer) {
  if (buffer.length < 20 || buffer[0] !== 0x45 || buffer[8] <= 1) return undefined
  const protocol = buffer.readUInt8(9)
  if (protocol !== TCP && protocol !== UDP) return undefined
  return {
    buffer,
    protocol,
    source: [...buffer.subarray(12, 16)].join('.'),
    destination: [...buffer.subarray(16, 20)].join('.'),
    sport: buffer.readUInt16BE(20),
    dport: buffer.readUInt16BE(22),
  }
}

function sumOf(buffer, sum) {
  for (let i = 0; i + 1 < buffer.length; i += 2) sum += buffer.readUInt16BE(i)
  if (buffer.length % 2 === 1) sum += buffer.readUInt8(buffer.length - 1) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}

function seal({ buffer, protocol }) {
  buffer.writeUInt8(buffer.readUInt8(8) - 1, 8)
  buffer.writeUInt16BE(0, 10)
  buffer.writeUInt16BE(~sumOf(buffer.subarray(0, 20), 0) & 0xffff, 10)
  const field = protocol === TCP ? 36 : 26
  if (protocol === UDP && buffer.readUInt16BE(field) === 0) return
  buffer.writeUInt16BE(0, field)
  const pseudo = sumOf(buffer.subarray(12, 20), protocol + buffer.length - 20)
  buffer.writeUInt16BE(~sumOf(buffer.subarray(20), pseudo) & 0xffff || 0xffff, field)
}

const outside = process.argv[2]
const words = outside.split('.').map(Number)
const [lan, wan] = [new Tun(0), new Tun(1)]
const flows = new Map()

lan.on('data', (buffer) => {
  const packet = parse(buffer)
  if (packet === undefined) return
  const key = `${packet.protocol} ${packet.destination}:${packet.dport} ${outside}:${packet.sport}`
  if (!flows.has(key)) flows.set(key, packet.source.split('.').map(Number))
  for (let i = 0; i < 4; i++) buffer[12 + i] = words[i]
  seal(packet)
  wan.write(buffer)
})

wan.on('data', (buffer) => {
  const packet = parse(buffer)
  if (packet === undefined) return
  const source = flows.get(`${packet.protocol} ${packet.source}:${packet.sport} ${packet.destination}:${packet.dport}`)
  if (source === undefined) return
  for (let i = 0; i < 4; i++) buffer[16 + i] = source[i]
  seal(packet)
  lan.write(buffer)
})
