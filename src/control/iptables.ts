// iptables' operations for programs in TypeScript: on an engine in the same process, or on a running gateway through its control
// socket. They are those of coreos/go-iptables, with its meanings: each is one command, or a few where the name says so
// (appendUnique looks first), and between those others may come. What is refused throws an IptablesError.

import type { Engine } from '../engine.ts'
import { TunfilterError } from '../errors.ts'
import type { Family, TableName } from '../rule/model.ts'
import { call, type Reply } from './client.ts'
import { runCommand } from './in-process.ts'
import { controlPath } from './path.ts'

export type IptablesErrorCode =
  /** The rule, chain, target or match that is meant is not there. */
  | 'ERR_IPTABLES_NOT_FOUND'
  /** The words are wrong: an unknown option, a value that cannot be. */
  | 'ERR_IPTABLES_USAGE'
  /** The rules as they are do not allow it: a chain that is there already, that is not empty, ... */
  | 'ERR_IPTABLES_REFUSED'

/** A command that failed. `message` is what it said. */
export class IptablesError extends TunfilterError {
  override name = 'IptablesError'
  declare readonly code: IptablesErrorCode
  /** The command's exit status: 1 for what the rules do not allow, 2 for wrong words, 3 for a table that is not there. */
  readonly status: number
  /** Its words, the program's name first. */
  readonly argv: readonly string[]
  readonly stderr: string

  constructor(argv: readonly string[], { status, stderr }: Reply) {
    super(codeOf(status, stderr), `${argv.join(' ')}: exit status ${status}: ${stderr.trim()}`)
    this.status = status
    this.argv = argv
    this.stderr = stderr
  }
}

const NOT_FOUND = [
  'No chain/target/match by that name.',
  'Bad rule (does a matching rule exist in that chain?).',
  'Index of deletion too big.',
  'Index of replacement too big.',
]

function codeOf(status: number, stderr: string): IptablesErrorCode {
  if (status === 1)
    return NOT_FOUND.some((each) => stderr.includes(each)) ? 'ERR_IPTABLES_NOT_FOUND' : 'ERR_IPTABLES_REFUSED'
  return 'ERR_IPTABLES_USAGE'
}

/** A rule's words: `['-s', '10.0.0.0/8', '-p', 'tcp', '--dport', '22', '-j', 'ACCEPT']`. */
export type RuleSpec = readonly string[]

/** A rule with its counters, as `iptables -L -n -v -x` shows it. Empty texts stand for what it does not have. */
export interface RuleStats {
  readonly packets: bigint
  readonly bytes: bigint
  /** The target or chain that it jumps to. */
  readonly target: string
  /** The protocol's number, with ! before it where it is inverted; 0 is every protocol. */
  readonly protocol: string
  /** `--`, `-f` or `!f`. */
  readonly fragment: string
  readonly input: string
  readonly output: string
  readonly source: string
  readonly destination: string
  /** What matches and target have besides. */
  readonly options: string
}

export interface IptablesOptions {
  /** 4 when left out. */
  readonly family?: Family
}

export class Iptables {
  readonly #program: string
  readonly #do: (argv: readonly string[]) => Reply | Promise<Reply>

  private constructor(family: Family, run: (argv: readonly string[]) => Reply | Promise<Reply>) {
    this.#program = family === 4 ? 'iptables' : 'ip6tables'
    this.#do = run
  }

  /** The rules of an engine in this process. */
  static of(engine: Engine, { family = 4 }: IptablesOptions = {}): Iptables {
    return new Iptables(family, (argv) => runCommand(engine, argv))
  }

  /**
   * The rules of a running gateway. Nothing is asked of it before the first operation; where none listens, operations throw
   * ERR_CONTROL.
   * @param options.path its control socket; where TUNFILTER_CONTROL says, or the default's, when left out
   */
  static at({ path = controlPath(), family = 4 }: IptablesOptions & { readonly path?: string } = {}): Iptables {
    return new Iptables(family, (argv) => call(path, argv))
  }

  async #call(table: TableName, ...words: string[]): Promise<{ readonly argv: string[]; readonly reply: Reply }> {
    const argv = [this.#program, '-w', '-t', table, ...words]
    return { argv, reply: await this.#do(argv) }
  }

  /** What it printed. Throws an IptablesError where it failed. */
  async #run(table: TableName, ...words: string[]): Promise<string> {
    const { argv, reply } = await this.#call(table, ...words)
    if (reply.status !== 0) throw new IptablesError(argv, reply)
    return reply.stdout
  }

  /** False where it was refused with status 1. */
  async #succeeds(table: TableName, ...words: string[]): Promise<boolean> {
    const { argv, reply } = await this.#call(table, ...words)
    if (reply.status > 1) throw new IptablesError(argv, reply)
    return reply.status === 0
  }

  // ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether a chain has this very rule. */
  exists(table: TableName, chain: string, rule: RuleSpec): Promise<boolean> {
    return this.#succeeds(table, '-C', chain, ...rule)
  }

  async append(table: TableName, chain: string, rule: RuleSpec): Promise<void> {
    await this.#run(table, '-A', chain, ...rule)
  }

  /** Unless it is there already. */
  async appendUnique(table: TableName, chain: string, rule: RuleSpec): Promise<void> {
    if (!(await this.exists(table, chain, rule))) await this.append(table, chain, rule)
  }

  /** @param position counted from 1 */
  async insert(table: TableName, chain: string, position: number, rule: RuleSpec): Promise<void> {
    await this.#run(table, '-I', chain, String(position), ...rule)
  }

  async insertUnique(table: TableName, chain: string, position: number, rule: RuleSpec): Promise<void> {
    if (!(await this.exists(table, chain, rule))) await this.insert(table, chain, position, rule)
  }

  async replace(table: TableName, chain: string, position: number, rule: RuleSpec): Promise<void> {
    await this.#run(table, '-R', chain, String(position), ...rule)
  }

  /** The first that is the same. */
  async delete(table: TableName, chain: string, rule: RuleSpec): Promise<void> {
    await this.#run(table, '-D', chain, ...rule)
  }

  async deleteIfExists(table: TableName, chain: string, rule: RuleSpec): Promise<void> {
    if (await this.exists(table, chain, rule)) await this.delete(table, chain, rule)
  }

  /** @param id the rule's place, counted from 1 */
  async deleteById(table: TableName, chain: string, id: number): Promise<void> {
    await this.#run(table, '-D', chain, String(id))
  }

  // ── what there is ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** The chain and its rules, as `iptables -S` prints them: `-P INPUT ACCEPT`, `-A INPUT -j DROP`, ... */
  async list(table: TableName, chain: string): Promise<string[]> {
    return linesOf(await this.#run(table, '-S', chain))
  }

  /** One rule; '' where the chain has fewer. @param id counted from 1 */
  async listById(table: TableName, chain: string, id: number): Promise<string> {
    return (await this.#run(table, '-S', chain, String(id))).trimEnd()
  }

  /** As list(), each with `-c PACKETS BYTES`. */
  async listWithCounters(table: TableName, chain: string): Promise<string[]> {
    return linesOf(await this.#run(table, '-v', '-S', chain))
  }

  async stats(table: TableName, chain: string): Promise<RuleStats[]> {
    // Two lines of heading.
    return linesOf(await this.#run(table, '-n', '-v', '-x', '-L', chain))
      .slice(2)
      .map(statsOf)
  }

  /** Built-in ones first. */
  async listChains(table: TableName): Promise<string[]> {
    return linesOf(await this.#run(table, '-S'))
      .filter((line) => /^-[PN] /.test(line))
      .map((line) => line.split(' ')[1])
  }

  chainExists(table: TableName, chain: string): Promise<boolean> {
    return this.#succeeds(table, '-S', chain, '1')
  }

  // ── chains ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async newChain(table: TableName, chain: string): Promise<void> {
    await this.#run(table, '-N', chain)
  }

  /** Makes the chain, or empties it where it is there. */
  async clearChain(table: TableName, chain: string): Promise<void> {
    if (!(await this.#succeeds(table, '-N', chain))) await this.#run(table, '-F', chain)
  }

  /** Where it is there. */
  async clearAndDeleteChain(table: TableName, chain: string): Promise<void> {
    if (!(await this.chainExists(table, chain))) return
    await this.#run(table, '-F', chain)
    await this.#run(table, '-X', chain)
  }

  async renameChain(table: TableName, from: string, to: string): Promise<void> {
    await this.#run(table, '-E', from, to)
  }

  /** It must be empty, and no rule may jump to it. */
  async deleteChain(table: TableName, chain: string): Promise<void> {
    await this.#run(table, '-X', chain)
  }

  async changePolicy(table: TableName, chain: string, policy: 'ACCEPT' | 'DROP'): Promise<void> {
    await this.#run(table, '-P', chain, policy)
  }
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}

/** Packets, bytes, target (in at least 9 places, which may be blank), protocol, fragments, devices, addresses, the rest. */
const ROW = /^ *(\d+) +(\d+) (\S+ +| {10})([ !]?\S+) +(--|-f|!f| {2}) +(\S+) +(\S+) +(\S+) +(\S+) *(.*)$/

function statsOf(row: string): RuleStats {
  const found = ROW.exec(row)
  if (found === null) throw new TunfilterError('ERR_INTERNAL', `a row of iptables -L is not understood: ${row}`)
  const [, packets, bytes, target, protocol, fragment, input, output, source, destination, options] = found
  return {
    ...{ packets: BigInt(packets), bytes: BigInt(bytes), target: target.trim(), protocol: protocol.trim() },
    ...{ fragment: fragment.trim(), input, output, source, destination, options: options.trim() },
  }
}
