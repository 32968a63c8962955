// Why the kernel does not take rules, as its errno is said in words.

import type { RefusedBy } from '../rule/option.ts'

export const ERRNO: Readonly<Record<RefusedBy, string>> = {
  tables: 'Invalid argument',
  missing: 'No such file or directory',
  range: 'Numerical result out of range',
}

/** What nf_tables says of jumps that come back to where they were. */
export const LOOP = 'Too many links'

/** @param message of rule/validate.ts */
export const isLoop = (message: string) => message.startsWith('jumps run in a circle')
