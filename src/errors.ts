// Every error that tunfilter throws on purpose. An error names the offending thing, says what was expected, and
// carries a code that programs can switch on. Nothing on the packet path throws: packets are counted, not thrown.

/** Base of all errors thrown on purpose; `code` starts with `ERR_` or is an errno name such as `EBUSY`. */
export class TunfilterError extends Error {
  override name = 'TunfilterError'
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Where in a text something stands: line and column count from 1. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** One thing that is wrong in a rule file or a configuration. */
export interface Complaint extends Place {
  readonly message: string
  /** The line is well written, but the rules as they are do not allow it. */
  readonly standing?: true
  /** The kernel would not take it, with this errno in words. */
  readonly errno?: string
}

/** A rule file or configuration that was refused, with everything that is wrong in it; nothing was changed. */
export class RefusedError extends TunfilterError {
  override name = 'RefusedError'
  readonly complaints: readonly Complaint[]

  constructor(code: string, complaints: readonly Complaint[]) {
    super(code, complaints.map((c) => `${c.file}:${c.line}:${c.column}: ${c.message}`).join('\n'))
    this.complaints = complaints
  }
}
