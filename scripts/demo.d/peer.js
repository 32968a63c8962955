// The other ends of scripts/demo: a small HTTP and UDP server, and a UDP client.
//   node peer.js serve                 HTTP on port 80, UDP on 5353; prints "ready"
//   node peer.js udp ADDRESS COUNT     sends COUNT datagrams one after the other; prints how many were answered, and
//                                      which address the server says they came from
import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'

const UDP_PORT = 5353
const [role, ...rest] = process.argv.slice(2)

let made = Buffer.alloc(0)

/** Bytes that differ from place to place, so that loss or exchange would show; made once. */
function content(length) {
  if (made.length !== length) {
    made = Buffer.alloc(length)
    for (let i = 0; i + 4 <= length; i += 4) made.writeUInt32LE(Math.imul(i, 0x9e3779b1) >>> 0, i)
  }
  return made
}

function serve() {
  const http = createServer((request, response) => {
    const [, what, length] = request.url.split('/')
    if (what === 'whoami') response.end(request.socket.remoteAddress)
    else if (what === 'bytes') response.end(content(Number(length)))
    else if (what === 'sha256')
      response.end(
        createHash('sha256')
          .update(content(Number(length)))
          .digest('hex'),
      )
    else response.writeHead(404).end()
  })
  const udp = createSocket('udp4')
  udp.on('message', (message, from) => udp.send(`${message} ${from.address}`, from.port, from.address))
  udp.bind(UDP_PORT, () => http.listen(80, '0.0.0.0', () => console.log('ready')))
}

async function ask(address, count) {
  const socket = createSocket('udp4')
  const seen = new Set()
  let answered = 0
  for (let i = 0; i < count; i++) {
    const answer = await new Promise((resolve) => {
      const late = setTimeout(resolve, 1000)
      socket.once('message', (message) => {
        clearTimeout(late)
        resolve(String(message))
      })
      socket.send(`datagram-${i}`, UDP_PORT, address)
    })
    const [word, from] = answer?.split(' ') ?? []
    if (word !== `datagram-${i}`) continue
    answered++
    seen.add(from)
  }
  socket.close()
  console.log(answered, [...seen].join(','))
}

if (role === 'serve') serve()
else if (role === 'udp') await ask(rest[0], Number(rest[1]))
else throw new Error(`peer.js: ${role}: expected serve or udp`)
