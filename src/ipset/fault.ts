// What can be wrong when a set is changed or asked, in the words in which ipset 7.17 says it: programs compare them. Set
// operations return one of these numbers, so that the packet path (target SET) can use them too; only commands throw.

import { TunfilterError } from '../errors.ts'

export const OK = 0
export const EXIST = 1
export const NOT_ADDED = 2
export const HASH_FULL = 3
export const NULL_ELEMENT = 4
export const INVALID = 5
export const INVALID_CIDR = 6
export const WHOLE_RANGE = 7
export const OUT_OF_RANGE = 8
export const RANGE_SIZE = 9
export const RANGE_TOO_LARGE = 10
export const NO_TIMEOUT = 11
export const NO_COUNTERS = 12
export const NO_COMMENT = 13
export const NO_SKBINFO = 14
export const NO_SUCH_MEMBER = 15
export const LIST_IN_LIST = 16
export const NO_SUCH_REFERENCE = 17
export const REFERENCE_NOT_ADDED = 18
export const NO_SET = 19
export const SET_EXISTS = 20
export const SET_BUSY = 21
export const RENAME_TAKEN = 22
export const RENAME_BUSY = 23
export const NO_SECOND_SET = 24
export const OTHER_TYPE = 25
export const FAMILY = 26
export const NETMASK = 27
export const NO_MEMORY = 28
export const MARKMASK = 29

const TEXTS: readonly string[] = [
  '',
  "Element cannot be added to the set: it's already added",
  "Element cannot be deleted from the set: it's not added",
  'Hash is full, cannot add more elements',
  'Null-valued element, cannot be stored in a hash type of set',
  'Kernel error received: Invalid argument',
  'The value of the CIDR parameter of the IP address is invalid',
  'Invalid range, covers the whole address space',
  'Element is out of the range of the set',
  'The range you specified exceeds the size limit of the set type',
  'The specified range is too large, split it up into smaller ranges',
  'Timeout cannot be used: set was created without timeout support',
  'Packet/byte counters cannot be used: set was created without counter support',
  'Comment cannot be used: set was created without comment support',
  'Skbinfo mapping cannot be used: set was created without skbinfo support',
  'Set to be added/deleted/tested as element does not exist.',
  'Sets with list:set type cannot be added to the set.',
  "The set to which you referred with 'before' or 'after' does not exist.",
  "The set to which you referred with 'before' or 'after' is not added to the set.",
  'The set with the given name does not exist',
  'Set cannot be created: set with the same name already exists',
  'Set cannot be destroyed: it is in use by a kernel component',
  'Set cannot be renamed: a set with the new name already exists',
  'Set cannot be renamed: it is in use by another system',
  'Sets cannot be swapped: the second set does not exist',
  'The sets cannot be swapped: their type does not match',
  'Protocol family not supported by the set type',
  'The value of the netmask parameter is invalid',
  'Kernel error received: Cannot allocate memory',
  'The value of the markmask parameter is invalid',
]

/** A command that was refused. The message is ipset's own, without the program's name in front. */
export class SetError extends TunfilterError {
  override name = 'SetError'
  /** Exit status of the command: 1 for what is wrong with sets and values, 2 for the command's form. */
  readonly status: 1 | 2
  /** The word that is meant, where one is. */
  readonly word: string | undefined

  constructor(message: string, { status = 1, word }: { status?: 1 | 2; word?: string } = {}) {
    super('ERR_IPSET', message)
    this.status = status
    this.word = word
  }
}

/** The error for one of the numbers above. */
export function faultError(fault: number): SetError {
  return new SetError(TEXTS[fault])
}
