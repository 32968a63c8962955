// The walk of a packet that is traced (target TRACE): as the interpreter's (rule/interpreter.ts), with a line logged for every rule that
// matches, before its target is asked, and for the end of every chain that is come to. The lines are the kernel's: table, chain, what it
// was and its number. What stands at a chain's end, or looks like it (a verdict without any condition), is a `return`, and in a built-in
// chain its `policy`; the end has the number behind the last rule's. Only packets that are traced, and those that meet a table in
// which TRACE stands, come here.

import { DROP } from './hook/hook.ts'
import type { Packet } from './packet/packet.ts'
import { CONTINUE, HOTDROP, RETURN } from './rule/define.ts'
import type { Entries } from './rule/entries.ts'
import { DO_GOTO, DO_JUMP, DO_TARGET, type ReadyAction } from './rule/entry.ts'
import type { Environment } from './rule/environment.ts'
import { count, matches } from './rule/interpreter.ts'
import { logText } from './rule/log-text.ts'
import { LOG_IP_OPTIONS, LOG_TCP_OPTIONS, LOG_TCP_SEQUENCE } from './rule/log-text-transport.ts'
import type { TableName } from './rule/model.ts'
import type { ChainProgram } from './rule/program.ts'

/** syslog's level of the lines: warning. */
const LEVEL = 4
const FLAGS = LOG_TCP_SEQUENCE | LOG_TCP_OPTIONS | LOG_IP_OPTIONS

interface Place {
  readonly chain: ChainProgram
  readonly next: number
}

export class Tracer {
  readonly #table: TableName
  readonly #base: ChainProgram
  readonly #rules: Entries
  readonly #environment: Environment

  constructor(table: TableName, base: ChainProgram, rules: Entries, environment: Environment) {
    this.#table = table
    this.#base = base
    this.#rules = rules
    this.#environment = environment
  }

  /** @returns what Interpreter.run returns */
  run(p: Packet, hook: number): number {
    const calls: Place[] = []
    const rules = this.#rules
    let chain = this.#base
    let place = chain.first
    for (;;) {
      let verdict = RETURN
      const atEnd = place === chain.end
      if (atEnd) this.#tell(p, hook, chain, place + 1 - chain.first, true)
      else {
        const entry = chain.places[place++]
        const matched = matches(rules, entry, p)
        if (matched === HOTDROP) return DROP
        if (matched !== 1) continue
        count(rules.counters, entry, p.length)
        this.#tell(p, hook, chain, place - chain.first, isVerdictAlone(rules, entry))
        const action = rules.actionOf(entry)
        if (action.does === DO_JUMP || action.does === DO_GOTO) {
          if (action.does === DO_JUMP) calls.push({ chain, next: place })
          chain = action.chain as ChainProgram
          place = chain.first
          continue
        }
        verdict =
          action.does === DO_TARGET ? (action.target as NonNullable<ReadyAction['target']>)(p, hook) : action.does
        if (verdict === CONTINUE) continue
      }
      if (verdict !== RETURN) return verdict
      const back = calls.pop()
      if (back !== undefined) {
        chain = back.chain
        place = back.next
        continue
      }
      // A chain that was gone to, or a RETURN, leads to the built-in chain's end.
      const { length, policy, counter } = this.#base
      if (chain !== this.#base || !atEnd) this.#tell(p, hook, this.#base, length + 1, true)
      count(rules.counters, counter, p.length)
      return policy
    }
  }

  #tell(p: Packet, hook: number, chain: ChainProgram, number: number, isEnd: boolean): void {
    if (p.trace === 0) return
    const what = !isEnd ? 'rule' : chain === this.#base ? 'policy' : 'return'
    const { log, links } = this.#environment
    log(LEVEL, `TRACE: ${this.#table}:${chain.name}:${what}:${number} ${logText(p, hook, FLAGS, links)}`)
  }
}

/** A verdict for every packet, which is how chains end. */
function isVerdictAlone(rules: Entries, entry: number): boolean {
  const { does } = rules.actionOf(entry)
  if (does === DO_TARGET || does === DO_JUMP || does === DO_GOTO || does === CONTINUE) return false
  const tests = rules.testsOf(entry)
  return (
    !rules.asksAddresses(entry) &&
    !tests.sourceNot &&
    !tests.destinationNot &&
    tests.protocol === 0 &&
    tests.fragments === 0 &&
    tests.inLinks === undefined &&
    tests.outLinks === undefined &&
    tests.allMatches.length === 0
  )
}
