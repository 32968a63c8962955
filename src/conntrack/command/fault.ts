// How a conntrack command fails: its exit status and what it says, as conntrack 1.4.7 does (2 for wrong usage, 1 for what the
// flow table refuses).

export const VERSION = '1.4.7'
export const BANNER = `conntrack v${VERSION} (conntrack-tools)`

export class Fault {
  readonly status: number
  readonly stderr: string

  constructor(status: number, stderr: string) {
    this.status = status
    this.stderr = stderr
  }
}

export function wrongUsage(message: string): Fault {
  return new Fault(2, `${BANNER}: ${message}\nTry \`conntrack -h' or 'conntrack --help' for more information.\n`)
}

/** What the flow table says, by the names of the system's errors. */
const REASONS = {
  ENOENT: "such conntrack doesn't exist",
  EEXIST: 'Such conntrack exists, try -U to update',
  EINVAL: 'invalid parameters',
  EBUSY: 'Device or resource busy',
  EPERM: 'sorry, you must be root or get CAP_NET_ADMIN capability to do this',
  EOPNOTSUPP: 'Operation not supported',
  ENOSPC: 'No space left on device',
  ENOMEM: 'not enough memory',
  EMFILE: 'Too many open files',
} as const

export type Reason = keyof typeof REASONS

export function failed(reason: Reason): Fault {
  return failure(REASONS[reason])
}

/** The same of expectations, for which it has other words. @param missing for ENOENT */
export function failedExpectation(reason: Reason, missing = 'No such file or directory'): Fault {
  if (reason === 'ENOENT') return failure(missing)
  return failure(reason === 'EEXIST' ? 'File exists' : REASONS[reason])
}

function failure(message: string): Fault {
  return new Fault(1, `${BANNER}: Operation failed: ${message}\n`)
}
