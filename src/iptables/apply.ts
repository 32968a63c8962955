// A command of iptables as a function from one rule set to the next, with what it prints and its exit status. Nothing of the
// rule set that is handed in is touched, and the next shares with it whatever the command does not name: it costs what it
// touches. What the rules as they are do not allow is said in the words of iptables 1.8.9, which programs read; a mistake on
// the command line in words of our own.
//
// Rules, and chains' `counters`, that are the same objects afterwards go on counting where they were (rule/carry.ts).

import { countsBegun } from '../rule/counters.ts'
import { changedRule } from '../rule/kept-rule.ts'
import { type Chain, NO_COUNTERS, type Rule, type RuleSet, type Table } from '../rule/model.ts'
import { SharedNames, sharesNames } from '../rule/shared-names.ts'
import { judgeTable, usesOf } from '../rule/table-facts.ts'
import { changedMap } from '../rule/versioned-map.ts'
import { type Request, readRequest } from './argv.ts'
import { BUILTIN } from './builtin.ts'
import { type Invalid, wrongName } from './command.ts'
import { asked, Draft } from './draft.ts'
import { ERRNO, isLoop, LOOP } from './errno.ts'
import { help } from './help.ts'
import { echo, listCommands, listTable } from './list.ts'
import { chainBusy, isNft, noChainToList, ruleFailed } from './nft-words.ts'
import {
  banner,
  Failure,
  type Outcome,
  outcome,
  type Program,
  refused,
  type Surrounding,
  wrongUsage,
} from './program.ts'
import { STANDARD } from './rule.ts'
import { indexOfSame } from './same-rule.ts'
import { inSavedOrder } from './save.ts'

const NO_CHAIN = 'No chain/target/match by that name.'
const NO_RULE = 'Bad rule (does a matching rule exist in that chain?).'
const NOT_FOR_FILTERING = '\nThe "nat" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n'

/** `iptables ARGS...` */
export function applyCommand(ruleSet: RuleSet, args: readonly string[], around: Surrounding): Outcome {
  return outcome(ruleSet, () => {
    const { program } = around
    const request = readRequest(args, ruleSet, around)
    if (request === 'version') return { ruleSet, stdout: `${banner(program)}\n`, stderr: '', status: 0 }
    if ('of' in request) return { ruleSet, stdout: help(program, request.of), stderr: '', status: 0 }
    return new Application(ruleSet, request, around).run()
  })
}

class Application {
  readonly #ruleSet: RuleSet
  readonly #request: Request
  readonly #around: Surrounding
  readonly #program: Program
  readonly #before: Table
  #table: Table
  #stdout = ''

  constructor(ruleSet: RuleSet, request: Request, around: Surrounding) {
    this.#request = request
    this.#around = around
    this.#program = around.program
    this.#ruleSet = asked(ruleSet, request.table, around.program)
    this.#before = this.#ruleSet.tables.get(request.table) ?? new Draft(request.table).toTable()
    this.#table = this.#before
  }

  run(): Outcome {
    const { kind, zeroes, warnings, verbose, rules } = this.#request
    if (verbose && 'AIRDC'.includes(kind))
      this.#stdout += rules.map((rule) => echo(rule, this.#program.family)).join('')
    try {
      this.#command()
      if (zeroes) this.#zero()
      this.#judge()
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure
      const { status, stderr } = failure
      return { ruleSet: this.#ruleSet, stdout: this.#stdout, stderr: warnings + stderr, status }
    }
    return { ruleSet: this.#result(), stdout: this.#stdout, stderr: warnings, status: 0 }
  }

  #result(): RuleSet {
    if (this.#table === this.#before) return this.#ruleSet
    const tables = new Map(this.#ruleSet.tables)
    return { ...this.#ruleSet, tables: tables.set(this.#table.name, this.#table) }
  }

  #command(): void {
    const { kind, number, rules, invalid, chain: name = '' } = this.#request
    switch (kind) {
      case 'A':
        return this.#rules((old) => old.concat(rules))
      case 'I':
        return this.#rules((old) => {
          const at = (number ?? 1) - 1
          if (at > old.length) throw this.#refused('Index of insertion too big.')
          // One after the other at the same place, so they end up in reverse order.
          return old.toSpliced(at, 0, ...rules.toReversed())
        })
      case 'R':
        return this.#rules((old) => {
          const at = (number as number) - 1
          if (at >= old.length) throw this.#refused('Index of replacement too big.')
          return old.with(at, rules[0])
        })
      case 'D':
        if (number === undefined) return this.#delete()
        return this.#rules((old) => {
          if (number > old.length) throw this.#refused(isNft(this.#program) ? NO_CHAIN : 'Index of deletion too big.')
          return old.toSpliced(number - 1, 1)
        })
      case 'C': {
        const chain = this.#table.chains.get(name)
        if (chain === undefined) throw this.#refused(NO_RULE)
        if (invalid !== undefined) throw this.#notThere(invalid)
        for (const rule of rules) if (indexOfSame(chain.rules, rule) < 0) throw this.#noRule(rule)
        return
      }
      case 'L':
      case 'S':
        return this.#list()
      case 'F':
        return this.#each('Flushing', (chain) => (chain.rules.length === 0 ? chain : { ...chain, rules: [] }))
      case 'Z':
        return this.#zero()
      case 'N':
        return this.#create(name)
      case 'X':
        return this.#deleteChains()
      case 'P':
        return this.#policy(name)
      case 'E':
        return this.#rename(name)
    }
  }

  #refused(message: string): Failure {
    return refused(this.#program, message)
  }

  /** Which of two things is said depends on the target of the rule that is looked for. */
  #noRule({ action }: Rule): Failure {
    const standard = action === undefined || (action.kind === 'target' && STANDARD.has(action.declaration.name))
    return this.#refused(standard ? NO_RULE : NO_CHAIN)
  }

  #invalid({ message, by }: Invalid): Failure {
    const { kind, chain = '' } = this.#request
    if (isNft(this.#program)) return ruleFailed(this.#program, kind, chain, ERRNO[by])
    return this.#refused(`${by === 'missing' ? NO_CHAIN : `${ERRNO[by]}.`} ${message}.`)
  }

  /** A rule that no table could hold is looked for. */
  #notThere(invalid: Invalid): Failure {
    if (invalid.action === 'jump') return this.#invalid(invalid)
    return this.#refused(invalid.action === 'verdict' ? NO_RULE : NO_CHAIN)
  }

  #chain(): Chain {
    const chain = this.#table.chains.get(this.#request.chain as string)
    if (chain === undefined) throw this.#refused(NO_CHAIN)
    return chain
  }

  #set(chain: Chain): void {
    this.#change(new Map([[chain.name, chain]]))
  }

  /** @param changes chains in the place of those of their names; undefined for those that go */
  #change(changes: ReadonlyMap<string, Chain | undefined>): void {
    this.#table = { ...this.#table, chains: changedMap(this.#table.chains, changes) }
  }

  #rules(change: (old: readonly Rule[]) => readonly Rule[]): void {
    const chain = this.#chain()
    const rules = change(chain.rules)
    const { invalid } = this.#request
    if (invalid !== undefined) throw this.#invalid(invalid)
    this.#set({ ...chain, rules })
  }

  #delete(): void {
    const { rules, invalid, chain: name } = this.#request
    const chain = this.#table.chains.get(name as string)
    if (chain === undefined) throw this.#refused(NO_RULE)
    if (invalid !== undefined) throw this.#notThere(invalid)
    let left = chain.rules
    for (const rule of rules) {
      const at = indexOfSame(left, rule)
      if (at < 0) throw this.#noRule(rule)
      left = left.toSpliced(at, 1)
    }
    this.#set({ ...chain, rules: left })
  }

  #list(): void {
    const { kind, chain, number } = this.#request
    const { name: table } = this.#table
    if (chain !== undefined && !this.#table.chains.has(chain) && isNft(this.#program))
      throw noChainToList(this.#program, table, chain)
    if (chain !== undefined) this.#chain()
    const options = { ...this.#request, family: this.#program.family, countsOf: this.#around.countsOf }
    this.#stdout += (kind === 'L' ? listTable : listCommands)(this.#table, options, chain, number)
  }

  /** Does the same to one chain, or to all in the order in which they are listed. */
  #each(doing: string, change: (chain: Chain) => Chain): void {
    const { chain: name, verbose } = this.#request
    if (verbose && name !== undefined) this.#stdout += `${doing} chain \`${name}'\n`
    const chains = name === undefined ? inSavedOrder(this.#table) : [this.#chain()]
    const changes = new Map<string, Chain>()
    for (const chain of chains) {
      if (verbose && name === undefined) this.#stdout += `${doing} chain \`${chain.name}'\n`
      const after = change(chain)
      if (after !== chain) changes.set(chain.name, after)
    }
    if (changes.size > 0) this.#change(changes)
  }

  #zero(): void {
    const { number, kind } = this.#request
    const zeroed = (rule: Rule): Rule => changedRule(rule, { counters: NO_COUNTERS })
    if (number === undefined || kind !== 'Z')
      return this.#each('Zeroing', (chain) => ({
        ...chain,
        counters: { ...NO_COUNTERS },
        rules: chain.rules.map(zeroed),
      }))
    const chain = this.#chain()
    if (number > chain.rules.length) throw this.#refused(isNft(this.#program) ? NO_RULE : 'Index of counter too big.')
    this.#set({ ...chain, rules: chain.rules.with(number - 1, zeroed(chain.rules[number - 1])) })
  }

  #create(name: string): void {
    if (this.#table.chains.has(name)) throw this.#refused('Chain already exists.')
    this.#judgeName(name)
    this.#set({ name, counters: NO_COUNTERS, rules: [] })
  }

  #judgeName(name: string): void {
    const registry = this.#around.declarations ?? BUILTIN
    const { family } = this.#program
    const { table } = this.#request
    const context = { registry, family, table, counters: false, hasChain: () => false, chainNames: () => [] }
    const wrong = wrongName(name, context)
    if (wrong !== undefined) throw wrongUsage(this.#program, wrong)
  }

  #deleteChains(): void {
    const { chain: name, verbose } = this.#request
    if (verbose && name !== undefined) this.#stdout += `Deleting chain \`${name}'\n`
    const wanted =
      name === undefined ? inSavedOrder(this.#table).filter((c) => c.policy === undefined) : [this.#chain()]
    // Each is tried; with one that cannot go all stay, and the last reason is given.
    let wrong: string | undefined
    const gone = new Map<string, undefined>()
    for (const chain of wanted) {
      if (chain.policy !== undefined && isNft(this.#program)) return this.#deleteBuiltin(chain)
      if (verbose && name === undefined) this.#stdout += `Deleting chain \`${chain.name}'\n`
      gone.set(chain.name, undefined)
      const reason = this.#whyNot(chain)
      if (reason !== undefined && chain.policy === undefined && isNft(this.#program))
        throw chainBusy(this.#program, chain.name)
      wrong = reason ?? wrong
    }
    if (wrong !== undefined) throw this.#refused(wrong)
    if (wanted.length > 0) this.#change(gone)
  }

  /** iptables-nft takes a built-in chain out of the kernel, where it is as good as there without it. */
  #deleteBuiltin({ name, policy, rules }: Chain): void {
    if (rules.length > 0) throw chainBusy(this.#program, name)
    if (policy === 'DROP') throw this.#refused('Directory not empty.')
    if (!this.#ruleSet.tables.has(this.#table.name)) throw this.#refused(NO_CHAIN)
  }

  /** Why a chain cannot be deleted. */
  #whyNot({ name, policy, rules }: Chain): string | undefined {
    if (policy !== undefined) return `Invalid argument. ${name} is a built-in chain: expected one of your own.`
    if (usesOf(this.#table, name) > 0) return 'Too many links.'
    return rules.length > 0 ? 'Directory not empty.' : undefined
  }

  #policy(name: string): void {
    const { second, table } = this.#request
    if (table === 'nat' && second === 'DROP') throw wrongUsage(this.#program, NOT_FOR_FILTERING)
    const chain = this.#table.chains.get(name)
    if (chain?.policy === undefined) throw this.#refused('Bad built-in chain name.')
    if (second !== 'ACCEPT' && second !== 'DROP')
      throw this.#refused(`Bad policy name. '${second}' was given: expected ACCEPT or DROP.`)
    this.#set({ ...chain, policy: second, counters: { ...NO_COUNTERS } })
  }

  #rename(name: string): void {
    const to = this.#request.second as string
    if (this.#table.chains.has(to) || ['ACCEPT', 'DROP', 'RETURN', 'QUEUE'].includes(to))
      throw this.#refused('File exists.')
    const chain = this.#chain()
    if (chain.policy !== undefined) throw this.#refused(NO_CHAIN)
    this.#judgeName(to)
    const { countsOf = countsBegun } = this.#around
    const changes = new Map<string, Chain | undefined>([[name, undefined]])
    changes.set(to, { ...chain, name: to })
    const users = usesOf(this.#table, name) > 0 ? this.#table.chains.values() : []
    for (const user of users) {
      if (!user.rules.some(({ action }) => action?.kind === 'jump' && action.chain === name)) continue
      const counts = countsOf(this.#table.name, user)
      const rules = user.rules.map((rule, i) =>
        rule.action?.kind === 'jump' && rule.action.chain === name
          ? changedRule(rule, { action: { ...rule.action, chain: to }, counters: counts.rule(i) })
          : rule,
      )
      changes.set(user === chain ? to : user.name, {
        ...(user === chain ? chain : user),
        name: user === chain ? to : user.name,
        rules,
      })
    }
    this.#change(changes)
  }

  /** What the kernel judges when the table is handed to it. */
  #judge(): void {
    if (this.#table === this.#before) return
    const [complaint] = judgeTable(this.#table, this.#before)
    if (complaint === undefined) return this.#judgeNames()
    const loop = isLoop(complaint.message)
    const { kind, chain = '' } = this.#request
    if (isNft(this.#program)) throw ruleFailed(this.#program, kind, chain, loop ? LOOP : ERRNO.tables)
    throw this.#refused(`${loop ? 'Too many levels of symbolic links.' : 'Invalid argument.'} ${complaint.message}.`)
  }

  #judgeNames(): void {
    if (!this.#request.rules.some(sharesNames)) return
    const { other, isThere } = this.#around
    const names = new SharedNames(other === undefined ? [this.#ruleSet] : [this.#ruleSet, other], isThere)
    const [complaint] = names.take(this.#table.name, inSavedOrder(this.#table))
    if (complaint === undefined) return
    const { kind, chain = '' } = this.#request
    if (isNft(this.#program))
      throw ruleFailed(this.#program, kind, chain, complaint.missing ? ERRNO.missing : ERRNO.tables)
    throw this.#refused(complaint.missing ? NO_CHAIN : `Invalid argument. ${complaint.message}.`)
  }
}
