// The control socket. Each client calls one program, is asked for what that needs, is answered, and is done. What
// always holds: what is kept for clients is bounded, all of them together; a client that sends nothing, or does not read, is
// cut off after a while; and whatever one does, the others are served.

import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { TunfilterError } from '../errors.ts'
import { textOf } from '../iptables/encoding.ts'
import { Failure } from '../iptables/program.ts'
import * as wire from './frame.ts'
import { type ControlProgram, type Conversation, programCalled } from './program.ts'

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
  readonly programs: readonly ControlProgram[]
  readonly limits: Limits
  readonly #server: Server
  readonly #clients = new Set<Client>()
  /** Bytes of input kept for all clients. */
  kept = 0

  private constructor(path: string, programs: readonly ControlProgram[], limits: Limits) {
    this.path = path
    this.programs = programs
    this.limits = limits
    this.#server = createServer((socket) => {
      const client = new Client(this, socket)
      this.#clients.add(client)
      socket.on('close', () => this.#clients.delete(client))
    })
    this.#server.maxConnections = limits.clients
  }

  /** Throws ERR_CONTROL where the socket cannot be made, or another gateway has it. */
  static async listen(
    path: string,
    programs: readonly ControlProgram[],
    limits: Limits = LIMITS,
  ): Promise<ControlServer> {
    await removeStale(path)
    const control = new ControlServer(path, programs, limits)
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

/** What the client was asked for, and who waits for it. */
interface Awaited {
  readonly pieces: Buffer[]
  /** One piece is enough. */
  readonly some: boolean
  resolve(text: string | undefined): void
  reject(error: unknown): void
}

class Client implements Conversation {
  /** When it last sent or read something. */
  active = performance.now()
  readonly #control: ControlServer
  readonly #socket: Socket
  readonly #reader = new wire.FrameReader()
  /** The program's name, once it is called. */
  #called: string | undefined
  #awaited: Awaited | undefined
  #inputLength = 0
  #answered = false
  readonly #goneListeners: (() => void)[] = []

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
    this.#giveInputBack()
    this.#awaited?.reject(new TunfilterError('ERR_CONTROL', 'the client has gone'))
    this.#awaited = undefined
    for (const listener of this.#goneListeners.splice(0)) listener()
  }

  #giveInputBack(): void {
    this.#control.kept -= this.#inputLength
    this.#inputLength = 0
  }

  // ── what it sends ───────────────────────────────────────────────────────────────────────────────────────────────────

  #receive(piece: Buffer): void {
    this.active = performance.now()
    try {
      for (const { kind, payload } of this.#reader.push(piece)) {
        if (this.#socket.destroyed || this.#answered) return
        this.#take(kind, payload)
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  #take(kind: string, payload: Buffer): void {
    if (kind === wire.ARGUMENTS && this.#called === undefined) return this.#begin(payload)
    const awaited = this.#awaited
    if (awaited === undefined || this.#called === undefined)
      throw new TunfilterError('ERR_CONTROL_FRAME', `an unexpected frame of kind ${JSON.stringify(kind)}`)
    if (kind === wire.INPUT_END) {
      this.#awaited = undefined
      this.#giveInputBack()
      const { pieces, some } = awaited
      this.#resolve(awaited, some ? undefined : Buffer.concat(pieces))
    } else if (kind === wire.INPUT_FAILED) {
      this.#awaited = undefined
      awaited.reject(new Failure(1, `${payload.toString('utf8')}\n`))
    } else if (kind === wire.INPUT && awaited.some) {
      this.#awaited = undefined
      this.#resolve(awaited, payload)
    } else if (kind === wire.INPUT) this.#keep(payload, awaited.pieces, this.#called)
    else throw new TunfilterError('ERR_CONTROL_FRAME', `a frame of unknown kind ${JSON.stringify(kind)}`)
  }

  /** What is no text is told to the program that waits, as what could not be read. */
  #resolve(awaited: Awaited, input: Buffer | undefined): void {
    const wrong = (line: number) =>
      new Failure(2, `${this.#called}: line ${line} of the input is not UTF-8: expected UTF-8 text\n`)
    try {
      awaited.resolve(input && textOf(input, wrong))
    } catch (failure) {
      awaited.reject(failure)
    }
  }

  #keep(payload: Buffer, pieces: Buffer[], called: string): void {
    const { limits } = this.#control
    if (this.#inputLength + payload.length > limits.input)
      throw new Failure(1, `${called}: the input is longer than ${limits.input} bytes\n`)
    if (this.#control.kept + payload.length > limits.allInput)
      throw new Failure(4, `${called}: too much input of all clients at once: try again later\n`)
    this.#control.kept += payload.length
    this.#inputLength += payload.length
    // A copy: a small frame must not keep the large piece that it came in.
    pieces.push(Buffer.from(payload))
  }

  #begin(payload: Buffer): void {
    const words = textOf(payload, () => new Failure(2, 'an argument is not UTF-8: expected UTF-8 text\n')).split('\0')
    if (words.pop() !== '') throw new TunfilterError('ERR_CONTROL_FRAME', 'arguments without a NUL byte at their end')
    const { program, name, args } = programCalled(words, this.#control.programs)
    this.#called = name
    // While it is done, it takes as long as it takes.
    this.#socket.setTimeout(0)
    program.run(name, args, this).then(
      (status) => this.#answer(status),
      (error: unknown) => this.#fail(error),
    )
  }

  // ── what a program asks of it ───────────────────────────────────────────────────────────────────────────────────────

  get gone(): boolean {
    return this.#socket.destroyed
  }

  onGone(listener: () => void): void {
    if (this.gone) listener()
    else this.#goneListeners.push(listener)
  }

  async readInput(): Promise<string> {
    return (await this.#ask(wire.frame(wire.READ), false)) as string
  }

  async readFile(name: string): Promise<string> {
    return (await this.#ask(wire.frame(wire.FILE, name), false)) as string
  }

  readSome(): Promise<string | undefined> {
    return this.#ask(wire.frame(wire.READ_SOME), true)
  }

  #ask(question: Buffer, some: boolean): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      if (this.gone || this.#answered) return reject(new TunfilterError('ERR_CONTROL', 'the client has gone'))
      // Who talks with a person may take the time; a file is to come at once.
      this.#socket.setTimeout(some ? 0 : this.#control.limits.patience)
      const done = () => this.#socket.setTimeout(0)
      this.#awaited = {
        pieces: [],
        some,
        resolve: (text) => {
          done()
          resolve(text)
        },
        reject: (error) => {
          done()
          reject(error)
        },
      }
      this.#socket.write(question)
    })
  }

  writeTo(file: string): void {
    this.#send(wire.frame(wire.WRITE, file))
  }

  print(text: string): void {
    for (const piece of wire.frames(wire.OUTPUT, text)) this.#send(piece)
    this.#control.makeRoom(this)
  }

  printError(text: string): void {
    for (const piece of wire.frames(wire.ERROR, text)) this.#send(piece)
  }

  #send(bytes: Buffer): void {
    if (!this.#socket.destroyed && !this.#socket.writableEnded) this.#socket.write(bytes)
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.unread === 0) return resolve()
      this.#socket.once('drain', resolve)
      this.onGone(resolve)
    })
  }

  #fail(error: unknown): void {
    if (error instanceof Failure) this.printError(error.stderr)
    else
      this.printError(
        `tunfilter: ${error instanceof TunfilterError ? error.message : String((error as Error).stack ?? error)}\n`,
      )
    this.#answer(error instanceof Failure ? error.status : 1)
  }

  #answer(status: number): void {
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded) return
    this.#answered = true
    this.#awaited = undefined
    this.#giveInputBack()
    // What still comes is not looked at.
    socket.removeAllListeners('data')
    socket.resume()
    socket.setTimeout(this.#control.limits.patience)
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
