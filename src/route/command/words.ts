// The words of a command of iproute2, one after the other, and what is said about wrong ones: its own sentences and exit statuses.

/** Ends a command: what is printed to standard error, and the exit status. */
export class IpFault extends Error {
  readonly stderr: string
  readonly status: number

  constructor(stderr: string, status: number) {
    super(stderr.trim())
    this.stderr = stderr
    this.status = status
  }
}

/** The command itself is wrong. */
export const USAGE = 255
/** The router refuses it. */
export const REFUSED = 2

const ANSWERS: Readonly<Record<string, string>> = {
  EEXIST: 'File exists',
  ENOENT: 'No such file or directory',
  ESRCH: 'No such process',
  ENODEV: 'No such device',
  EINVAL: 'Invalid argument',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  EACCES: 'Permission denied',
  EOPNOTSUPP: 'Operation not supported',
}

/** What the router answers where it has no sentence of its own. @param errno its name */
export function answered(errno: string): IpFault {
  return new IpFault(`RTNETLINK answers: ${ANSWERS[errno] ?? errno}\n`, REFUSED)
}

/** What the router says in a sentence. */
export function refused(sentence: string): IpFault {
  return new IpFault(`Error: ${sentence}\n`, REFUSED)
}

export function wrongArgument(word: string, why: string): IpFault {
  return new IpFault(`Error: argument "${word}" is wrong: ${why}\n`, USAGE)
}

export class Words {
  readonly #words: readonly string[]
  #at = 0

  constructor(words: readonly string[]) {
    this.#words = words
  }

  get done(): boolean {
    return this.#at >= this.#words.length
  }

  get peek(): string | undefined {
    return this.#words[this.#at]
  }

  /** The next one; a command that ends before it is not complete. */
  next(): string {
    const word = this.#words[this.#at++]
    if (word === undefined) throw new IpFault('Command line is not complete. Try option "help"\n', USAGE)
    return word
  }

  /** Takes the next one if it is one of these. */
  skip(...any: readonly string[]): boolean {
    if (this.peek === undefined || !any.includes(this.peek)) return false
    this.#at++
    return true
  }

  /** A number, decimal, 0x or octal, as strtoul takes it. */
  number(why: string, max = 0xffffffff): number {
    const word = this.next()
    const number = numberOf(word)
    if (number === undefined || number > max) throw wrongArgument(word, why)
    return number
  }
}

export function numberOf(word: string): number | undefined {
  if (/^0[0-7]+$/.test(word)) return Number.parseInt(word, 8)
  return /^(0x[\da-f]+|\d+)$/i.test(word) ? Number(word) : undefined
}

/** Whether `word` abbreviates `name`, as many of iproute2's words may be abbreviated. */
export function abbreviates(word: string, name: string): boolean {
  return word !== '' && name.startsWith(word)
}
