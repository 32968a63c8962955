// Errors between the program's threads.

import { RefusedError, TunfilterError } from '../errors.ts'
import type { ReportedError } from './orders.ts'

/** An error as it can be sent to another thread. */
export function reported(error: unknown): ReportedError {
  const code = error instanceof TunfilterError ? error.code : 'ERR_INTERNAL'
  // Of a mistake in the program the stack is wanted too.
  const message = error instanceof TunfilterError ? error.message : String((error as Error).stack ?? error)
  return error instanceof RefusedError ? { code, message, complaints: error.complaints } : { code, message }
}

export function revived({ code, message, complaints }: ReportedError): Error {
  return complaints === undefined ? new TunfilterError(code, message) : new RefusedError(code, complaints)
}
