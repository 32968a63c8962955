// The commands on an engine in the same process: the words of iptables, iptables-save, iptables-restore, ipset and ip into what they
// print and their exit status, with the rules and sets of that engine changed between two of its rounds.

import type { Engine } from '../engine.ts'
import { TunfilterError } from '../errors.ts'
import { applyCommand } from '../iptables/apply.ts'
import { applyRestore, applySave } from '../iptables/apply-file.ts'
import { readFileRequest } from '../iptables/argv.ts'
import { Failure, type Program, programOf } from '../iptables/program.ts'
import { countsIn } from '../rule/counters.ts'
import type { Reply } from './client.ts'

/**
 * Does `ARGV...` on an engine, whole or not at all: `runCommand(engine, ['iptables', '-A', 'INPUT', '-j', 'DROP'])`.
 * @param input what is read where the command reads standard input; files are neither read nor written
 * @returns what it prints and its exit status; a command that is refused throws nothing
 */
export function runCommand(engine: Engine, argv: readonly string[], input = ''): Reply {
  const [name = '', ...args] = argv
  if (name === 'ipset') return engine.ipset(args, input)
  if (name === 'nfacct') return engine.nfacct(args, input)
  if (name === 'ip') return engine.ip(args)
  const program = programOf(name)
  if (program === undefined)
    throw new TunfilterError(
      'ERR_COMMAND',
      `there is no command '${name}': expected iptables, iptables-save, iptables-restore, ipset, nfacct or ip`,
    )
  try {
    return run(engine, program, args, input)
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure
    return { status: failure.status, stdout: '', stderr: failure.stderr }
  }
}

function run(engine: Engine, program: Program, args: readonly string[], input: string): Reply {
  const { family } = program
  const before = engine.ruleSetOf(family)
  const countsOf = countsIn(engine.programOf(family))
  const { isThere } = engine.accounts
  const other = engine.ruleSetOf(family === 4 ? 6 : 4)
  const around = { program, countsOf, sets: engine.sets, isThere, other, date: new Date() }
  if (program.kind !== 'command') {
    const request = readFileRequest(args, program)
    if (typeof request !== 'string' && request.file !== undefined)
      throw new Failure(1, `${program.name}: ${request.file}: files are neither read nor written here\n`)
  }
  const { status, stdout, stderr, ruleSet } =
    program.kind === 'command'
      ? applyCommand(before, args, around)
      : program.kind === 'restore'
        ? applyRestore(before, args, input, around)
        : applySave(before, args, around)
  if (ruleSet !== before) {
    try {
      engine.changeRules(ruleSet)
    } catch (error) {
      if (!(error instanceof TunfilterError)) throw error
      return { status: 1, stdout: '', stderr: `${program.name}: ${error.message}\n` }
    }
  }
  return { status, stdout, stderr }
}
