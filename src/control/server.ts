// The control socket. Each client is asked for what its command needs, waits for its turn, is answered, and is done. What
// always holds: what is kept for clients is bounded, all of them together; a client that sends nothing, or does not read, is
// cut off after a while; and whatever one does, the others are served.

import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { TunfilterError } from '../errors.ts'
import { Failure } from '../iptables/program.ts'
import { type Answer, type Call, type Commands, callOf } from './commands.ts'
import * as wire from './frame.ts'

export interface Limits {
  /** Clients at once; more wait to be accepted. */
  readonly clients: number
  /** Bytes of one client's input, and of all clients'. */
  readonly input: number
  readonly allInput: number
  /** Bytes of answers that were not read yet, of all clients. */
  readonly unread: number
  /** Milliseconds in which a client has to send or read something. */
  readonly patience: number
}

export const LIMITS: Limits = {
  clients: 512,
  input: 64 << 20,
  allInput: 128 << 20,
  unread: 128 << 20,
  patience: 30_000,
}

export class ControlServer {
  readonly path: string
  readonly commands: Commands
  readonly limits: Limits
  readonly #server: Server
  readonly #clients = new Set<Client>()
  /** Bytes of input kept for all clients. */
  kept = 0

  private constructor(path: string, commands: Commands, limits: Limits) {
    this.path = path
    this.commands = commands
    this.limits = limits
    this.#server = createServer((socket) => {
      const client = new Client(this, socket)
      this.#clients.add(client)
      socket.on('close', () => this.#clients.delete(client))
    })
    this.#server.maxConnections = limits.clients
  }

  /** Throws ERR_CONTROL where the socket cannot be made, or another gateway has it. */
  static async listen(path: string, commands: Commands, limits: Limits = LIMITS): Promise<ControlServer> {
    await removeStale(path)
    const control = new ControlServer(path, commands, limits)
    await new Promise<void>((resolve, reject) => {
      const server = control.#server
      server.once('error', (cause) => reject(new TunfilterError('ERR_CONTROL', `${path}: ${cause.message}`, { cause })))
      // The socket must never be there with other rights, not for a moment.
      const mask = process.umask(0o177)
      try {
        server.listen({ path, backlog: 511 }, resolve)
      } finally {
        process.umask(mask)
      }
    })
    chmodSync(path, 0o600)
    return control
  }

  /** Bytes of answers that no client has read yet. */
  get unread(): number {
    let sum = 0
    for (const client of this.#clients) sum += client.unread
    return sum
  }

  /** Makes room for an answer: who has not read for the longest time goes first. */
  makeRoom(except: Client): void {
    let { unread } = this
    if (unread <= this.limits.unread) return
    const others = [...this.#clients]
      .filter((client) => client !== except && client.unread > 0)
      .sort((a, b) => a.active - b.active)
    for (const client of others) {
      if (unread <= this.limits.unread) return
      unread -= client.unread
      client.end()
    }
  }

  close(): void {
    this.#server.close()
    for (const client of this.#clients) client.end()
  }
}

class Client {
  /** When it last sent or read something. */
  active = performance.now()
  readonly #control: ControlServer
  readonly #socket: Socket
  readonly #reader = new wire.FrameReader()
  #call: Call | undefined
  /** Input is awaited: 'no' before it was asked for and when all is there. */
  #input: Buffer[] | undefined
  #inputLength = 0

  constructor(control: ControlServer, socket: Socket) {
    this.#control = control
    this.#socket = socket
    socket.setTimeout(control.limits.patience, () => this.end())
    socket.on('error', () => this.end())
    socket.on('drain', () => {
      this.active = performance.now()
    })
    socket.on('data', (piece) => this.#receive(piece))
    socket.on('close', () => this.#forget())
    // A client that stopped half way takes no answer.
    socket.on('end', () => this.end())
  }

  get unread(): number {
    return this.#socket.destroyed ? 0 : this.#socket.writableLength
  }

  end(): void {
    this.#socket.destroy()
  }

  #forget(): void {
    this.#control.kept -= this.#inputLength
    this.#inputLength = 0
    this.#input = undefined
  }

  #receive(piece: Buffer): void {
    this.active = performance.now()
    try {
      for (const { kind, payload } of this.#reader.push(piece)) {
        if (this.#socket.destroyed) return
        this.#take(kind, payload)
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  #take(kind: string, payload: Buffer): void {
    const { limits } = this.#control
    if (kind === wire.ARGUMENTS && this.#call === undefined) return this.#begin(payload)
    const input = this.#input
    if (input === undefined || this.#call === undefined)
      throw new TunfilterError('ERR_CONTROL_FRAME', `an unexpected frame of kind ${JSON.stringify(kind)}`)
    if (kind === wire.INPUT_END) {
      this.#input = undefined
      const text = Buffer.concat(input).toString('utf8')
      this.#run(this.#call, text)
    } else if (kind === wire.INPUT_FAILED) {
      this.#input = undefined
      this.#answer({ status: 1, stdout: '', stderr: `${payload.toString('utf8')}\n` })
    } else if (kind === wire.INPUT) {
      if (this.#inputLength + payload.length > limits.input)
        throw new Failure(1, `${this.#call.program.name}: the input is longer than ${limits.input} bytes\n`)
      if (this.#control.kept + payload.length > limits.allInput)
        throw new Failure(4, `${this.#call.program.name}: too much input of all clients at once: try again later\n`)
      this.#control.kept += payload.length
      this.#inputLength += payload.length
      // A copy: a small frame must not keep the large piece that it came in.
      input.push(Buffer.from(payload))
    } else throw new TunfilterError('ERR_CONTROL_FRAME', `a frame of unknown kind ${JSON.stringify(kind)}`)
  }

  #begin(payload: Buffer): void {
    const words = payload.toString('utf8').split('\0')
    if (words.pop() !== '') throw new TunfilterError('ERR_CONTROL_FRAME', 'arguments without a NUL byte at their end')
    const call = callOf(words)
    this.#call = call
    const wanted = this.#control.commands.wanted(call)
    if (wanted === undefined) return this.#run(call, '')
    this.#input = []
    this.#socket.write(wanted.from === 'stdin' ? wire.frame(wire.READ) : wire.frame(wire.FILE, wanted.file))
  }

  #run(call: Call, input: string): void {
    const { commands } = this.#control
    // In its turn it takes as long as it takes.
    this.#socket.setTimeout(0)
    commands
      .inTurn(async () => (this.#socket.destroyed ? undefined : await commands.run(call, input)))
      .then(
        (answer) => answer && this.#answer(answer),
        (error: unknown) => this.#fail(error),
      )
  }

  #fail(error: unknown): void {
    if (error instanceof Failure) return this.#answer({ status: error.status, stdout: '', stderr: error.stderr })
    const text = error instanceof TunfilterError ? error.message : String((error as Error).stack ?? error)
    this.#answer({ status: 1, stdout: '', stderr: `tunfilter: ${text}\n` })
  }

  #answer({ status, stdout, stderr, file }: Answer): void {
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded) return
    this.#input = undefined
    // What still comes is not looked at.
    socket.removeAllListeners('data')
    socket.resume()
    socket.setTimeout(this.#control.limits.patience, () => this.end())
    if (file !== undefined) socket.write(wire.frame(wire.WRITE, file))
    for (const piece of wire.frames(wire.OUTPUT, stdout)) socket.write(piece)
    for (const piece of wire.frames(wire.ERROR, stderr)) socket.write(piece)
    socket.end(wire.frame(wire.STATUS, Buffer.from([status])))
    this.#control.makeRoom(this)
  }
}

/** Removes a socket that nobody listens on any more. */
async function removeStale(path: string): Promise<void> {
  let found: ReturnType<typeof lstatSync>
  try {
    found = lstatSync(path)
  } catch {
    return
  }
  if (!found.isSocket()) throw new TunfilterError('ERR_CONTROL', `${path}: there is a file of that name already`)
  const alive = await new Promise<boolean>((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
  if (alive) throw new TunfilterError('ERR_CONTROL', `${path}: another gateway listens there already`)
  unlinkSync(path)
}
