// Errors as the command prints them. What tunfilter and the system say on purpose is printed as it is; anything else is a
// mistake in the program, and is shown with its stack so that it can be reported.

import { RefusedError, TunfilterError } from '../errors.ts'

/** Writes to standard error, one line each complaint. */
export function printError(error: unknown): void {
  const colour = process.stderr.isTTY === true && process.env.NO_COLOR === undefined
  const name = colour ? '\x1b[31mtunfilter:\x1b[39m' : 'tunfilter:'
  for (const line of linesOf(error)) process.stderr.write(`${name} ${line}\n`)
}

function linesOf(error: unknown): string[] {
  if (typeof error === 'string') return error.split('\n')
  if (error instanceof RefusedError)
    return error.complaints.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`)
  if (error instanceof TunfilterError) return error.message.split('\n')
  // System errors: native calls and files.
  if (error instanceof Error && 'syscall' in error) return [error.message]
  return [error instanceof Error ? (error.stack ?? error.message) : String(error)]
}
