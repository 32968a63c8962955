// ipset on the control socket. Sets live in the data plane, where packets look into them, add to them and count in them; so its
// commands are done there, a step at a time (ipset/command.ts), and this side only carries: input there in pieces, what is
// printed to the client, and the next step not before the client has read enough. Nothing waits for a listing to end: commands
// of others, and packets, pass between its steps.

import { requestOf } from '../ipset/arguments.ts'
import type { SetFamilies } from '../rule/set-reference.ts'
import { HostNames, type Named } from './host-names.ts'
import type { ControlProgram, Conversation } from './program.ts'

/** What the data plane is asked to do next for one command. */
export interface SetsStep {
  /** Which command; a new number begins one. */
  readonly command: number
  /** Its words, with the step that begins it. */
  readonly argv?: readonly string[]
  /** More of its input. */
  readonly input?: string
  readonly inputEnded?: boolean
  /** Names of the hosts that were wanted. */
  readonly named?: readonly Named[]
  /** The listing is for a file that is read here again, not for a person. */
  readonly complete?: boolean
  /** Nobody wants to know any more. */
  readonly left?: boolean
}

export interface SetsAnswer {
  readonly state: 'more' | 'input' | 'names' | 'done'
  /** The addresses whose names are waited for. */
  readonly wanted?: readonly string[]
  readonly stdout: string
  readonly stderr: string
  /** Exit status, once it is done. */
  readonly status: number
  /** Counts all changes that commands made. */
  readonly changes: number
  /** All sets that there are now, where that has changed. */
  readonly families?: Families
}

/** Names of sets and the families of their addresses. */
export type Families = readonly (readonly [name: string, family: 0 | 4 | 6])[]

export interface SetsPlane {
  sets(step: SetsStep): Promise<SetsAnswer>
}

/** Characters of input that one step is given. */
const PIECE = 1 << 14
/** Bytes of answers that the client has yet to read: with more, the next step waits. */
const UNREAD_MAX = 1 << 20

export class IpsetProgram implements ControlProgram, SetFamilies {
  readonly names = 'ipset'
  readonly #plane: SetsPlane
  readonly #changed: () => void
  #families: ReadonlyMap<string, 0 | 4 | 6>
  #changes = 0
  #commands = 0

  readonly #hostNames: () => HostNames

  /**
   * @param changed is called after a command that changed sets, before its answer
   * @param hostNames makes what looks names up for one command
   */
  constructor(families: Families, plane: SetsPlane, changed: () => void, hostNames = () => new HostNames()) {
    this.#hostNames = hostNames
    this.#families = new Map(families)
    this.#plane = plane
    this.#changed = changed
  }

  familyOf(name: string): 0 | 4 | 6 | undefined {
    return this.#families.get(name)
  }

  isCalled(name: string): boolean {
    return name === 'ipset'
  }

  async run(_name: string, args: readonly string[], client: Conversation): Promise<number> {
    const { reads, file } = requestOf(args)
    // All of it before anything is done: a client that stops half way changes nothing.
    const input = reads !== 'input' ? '' : file === undefined ? await client.readInput() : await client.readFile(file)
    let writesTo = reads === 'input' ? undefined : file
    const print = ({ stdout, stderr, state, status }: SetsAnswer) => {
      if (writesTo !== undefined && (stdout !== '' || (state === 'done' && status === 0))) {
        client.writeTo(writesTo)
        writesTo = undefined
      }
      if (stdout !== '') client.print(stdout)
      if (stderr !== '') client.printError(stderr)
    }
    const command = ++this.#commands
    let at = 0
    let names: HostNames | undefined
    let step: SetsStep = { command, argv: args }
    for (;;) {
      const answer = await this.#step(step)
      print(answer)
      if (answer.state === 'done') return answer.status
      if (client.unread > UNREAD_MAX) await client.drained()
      if (client.gone && reads !== 'input') {
        await this.#step({ command, left: true })
        return 1
      }
      if (answer.state === 'more') step = { command }
      else if (answer.state === 'names') {
        names ??= this.#hostNames()
        step = { command, named: await names.of(answer.wanted ?? []) }
      } else if (reads === 'lines') {
        const some = await client.readSome().catch(() => undefined)
        step = { command, input: some, inputEnded: some === undefined }
      } else {
        step = { command, input: input.slice(at, at + PIECE), inputEnded: at + PIECE >= input.length }
        at += PIECE
      }
    }
  }

  async #step(step: SetsStep): Promise<SetsAnswer> {
    const answer = await this.#plane.sets(step)
    if (answer.families !== undefined) this.#families = new Map(answer.families)
    if (answer.state !== 'more' && answer.changes !== this.#changes) {
      this.#changes = answer.changes
      this.#changed()
    }
    return answer
  }

  /** All sets as `ipset save` prints them, with what that leaves out. */
  async save(): Promise<string> {
    const command = ++this.#commands
    const pieces: string[] = []
    for (let argv: readonly string[] | undefined = ['save']; ; argv = undefined) {
      const { state, stdout } = await this.#plane.sets({ command, ...(argv && { argv }), complete: true })
      pieces.push(stdout)
      if (state === 'done') return pieces.join('')
    }
  }
}
