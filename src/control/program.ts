// What the control socket takes commands for: iptables and its kin, ipset, ... One file a program, which says by which names it
// is called and does a command for a client. What it needs of the client it asks for; what it prints goes out as it comes.
// Programs that must not run beside themselves take turns (Turns): that is the xtables lock, and ipset's.

import { basename } from 'node:path'
import { Failure, MULTI } from '../iptables/program.ts'

export interface ControlProgram {
  /** For messages: `iptables, iptables-save or iptables-restore`. */
  readonly names: string
  /** Whether this is one of its names; without directories. */
  isCalled(name: string): boolean
  /**
   * Does one command, to its end.
   * @returns the exit status
   * @throws Failure (status and message as they are to be printed), or a TunfilterError, whose message is printed
   */
  run(name: string, args: readonly string[], client: Conversation): Promise<number>
}

/** The client as a program sees it. Reading fails with ERR_CONTROL when the client has gone. */
export interface Conversation {
  /** The client is there no more: nobody is waiting for the answer. */
  readonly gone: boolean
  /** Called once when the client goes away, or at once where it has gone. */
  onGone(listener: () => void): void
  /** All of standard input. */
  readInput(): Promise<string>
  /** A file of the client's, opened there with its rights. Throws a Failure where it cannot be read. */
  readFile(name: string): Promise<string>
  /** What comes next of standard input, as soon as it is there; undefined at its end. */
  readSome(): Promise<string | undefined>
  /** What is printed from here on goes into a file of the client's. */
  writeTo(file: string): void
  print(text: string): void
  printError(text: string): void
  /** Bytes that the client has yet to read. */
  readonly unread: number
  /** Resolved when it has read them, or has gone. */
  drained(): Promise<void>
}

/** Does one thing after the other, in the order in which they are asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(run, run)
    this.#last = turn.catch(() => {})
    return turn
  }
}

/** The program that is meant, and the name it is called by. Throws a Failure for a name that is no program's. */
export function programCalled(
  argv: readonly string[],
  programs: readonly ControlProgram[],
): { readonly program: ControlProgram; readonly name: string; readonly args: readonly string[] } {
  let [called = '', ...args] = argv
  // `tunfilter iptables -L` and `xtables-legacy-multi iptables -L`
  if (basename(called) === 'tunfilter' || MULTI.includes(basename(called))) [called = '', ...args] = args
  const name = basename(called)
  const program = programs.find((each) => each.isCalled(name))
  if (program === undefined) {
    const known = programs.map(({ names }) => names).join(', ')
    throw new Failure(2, `tunfilter: there is no command '${called}': expected ${known}\n`)
  }
  return { program, name, args }
}
