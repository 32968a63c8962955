// iptables-restore and iptables-save as functions from one rule set to the next, with what they print and their exit status.
// Nothing of the rule set that is handed in is touched.

import { RefusedError } from '../errors.ts'
import { type RuleSet, TABLE_NAMES, type TableName } from '../rule/model.ts'
import { type FileRequest, readFileRequest } from './argv.ts'
import { asked, Draft } from './draft.ts'
import { RESTORE_HELP } from './help.ts'
import { isNft, lineFailed } from './nft-words.ts'
import {
  banner,
  Failure,
  type Outcome,
  outcome,
  type Program,
  type Surrounding,
  VERSION,
  wrongLine,
} from './program.ts'
import { parseRestore } from './restore.ts'
import { saveTable } from './save.ts'

/** Complaints that are printed; of a file with more the rest is counted. */
const COMPLAINTS_MAX = 20

/** `iptables-restore ARGS...`; the file operand is whoever calls this to read. */
export function applyRestore(ruleSet: RuleSet, args: readonly string[], text: string, around: Surrounding): Outcome {
  return outcome(ruleSet, () => {
    const { program, declarations } = around
    const request = readFileRequest(args, program)
    if (request === 'version') return { ruleSet, stdout: `${banner(program)}\n`, stderr: '', status: 0 }
    if (request === 'help') return { ruleSet, stdout: '', stderr: RESTORE_HELP(program), status: 0 }
    const { noflush, counters, test, table, verbose } = request
    let after: RuleSet
    let stdout = ''
    let stderr = request.warnings
    try {
      after = parseRestore(text, {
        warn: (message) => {
          stderr += `${message}\n`
        },
        told: verbose
          ? (said) => {
              stdout += said
            }
          : undefined,
        file: 'input',
        family: program.family,
        declarations,
        base: ruleSet,
        noflush,
        counters,
        sets: around.sets,
        inForce: around.other === undefined ? [ruleSet] : [ruleSet, around.other],
        isThere: around.isThere,
      })
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      const known = reached(ruleSet, text, request, program, error.complaints[0].line)
      return { ...complained(error, text, program), ruleSet: known, stdout: '' }
    }
    if (test) return { ruleSet: reached(ruleSet, text, request, program), stdout, stderr, status: 0 }
    if (table !== undefined) after = onlyTable(ruleSet, after, table)
    return { ruleSet: after, stdout, stderr, status: 0 }
  })
}

/**
 * Nothing of the file is done, but its tables are known from then on, up to the line in which something is wrong: the legacy tools make the
 * kernel have each table that they come to.
 */
function reached(
  ruleSet: RuleSet,
  text: string,
  { table: only }: FileRequest,
  program: Program,
  end?: number,
): RuleSet {
  let after = ruleSet
  for (const line of text.split('\n', end)) {
    const named = /^\*[ \t]*([^ \t]+)/.exec(line)?.[1]
    const table = TABLE_NAMES.find((name) => name === named)
    if (table !== undefined && (only ?? table) === table) after = asked(after, table, program)
  }
  return after
}

function onlyTable(before: RuleSet, after: RuleSet, table: TableName): RuleSet {
  const found = after.tables.get(table)
  return found === undefined ? before : { ...before, tables: new Map(before.tables).set(table, found) }
}

function complained({ complaints }: RefusedError, text: string, program: Program): Failure {
  const wrong = complaints.find(({ standing }) => standing !== true)
  const { line, errno } = wrong ?? complaints[0]
  const shown = complaints.slice(0, COMPLAINTS_MAX)
  const rest = complaints.length - shown.length
  const messages = shown.map((each) => `line ${each.line}, column ${each.column}: ${each.message}`)
  if (rest > 0) messages.push(`and ${rest} more`)
  if (wrong !== undefined) return wrongLine(program, messages, line)
  if (isNft(program)) return lineFailed(program, text.split('\n', line)[line - 1], line, errno, messages)
  return new Failure(
    1,
    `${program.name}: line ${line} failed\n${messages.map((m) => `${program.name}: ${m}\n`).join('')}`,
  )
}

/** `iptables-save ARGS...` */
export function applySave(ruleSet: RuleSet, args: readonly string[], around: Surrounding): Outcome {
  return outcome(ruleSet, () => {
    const { program, countsOf, date } = around
    const request = readFileRequest(args, program)
    if (request === 'version') return { ruleSet, stdout: `${banner(program)}\n`, stderr: '', status: 0 }
    if (request === 'help') throw new Failure(1, `${program.name}: there is no -h\n`)
    const { table, counters } = request
    const after = table === undefined ? ruleSet : asked(ruleSet, table, program)
    const tables =
      table === undefined
        ? [...ruleSet.tables.values()].reverse()
        : [after.tables.get(table) ?? new Draft(table).toTable()]
    const comment = (what: string) => (date === undefined ? '' : `# ${what} on ${dateText(date)}\n`)
    const stdout = tables.map(
      (each) =>
        `${comment(`Generated by ${program.variant === 'legacy' ? `${program.name} ${VERSION}` : banner(program)}`)}${saveTable(each, { counters, countsOf })}${comment('Completed')}`,
    )
    return { ruleSet: after, stdout: stdout.join(''), stderr: request.warnings, status: 0 }
  })
}

/** As ctime() writes it: `Sat Nov 21 05:55:52 2026`. */
function dateText(date: Date): string {
  const [day, month, number, year, time] = date.toString().split(' ')
  return `${day} ${month} ${number.replace(/^0/, ' ')} ${time ?? ''} ${year}`
}
