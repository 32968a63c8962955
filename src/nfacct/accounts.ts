// Accounting objects (nfnetlink_acct): packets and bytes that rules count under a name, with or without a quota. They are made by
// nfacct or by the configuration, not by rules; one that a rule names cannot be deleted. Both families have the same ones.
//
// What always holds: an object is a shared state (rule/shared.ts) whose first user is this list, so it is in use when it has
// more of them.

import type { RouterConfig } from '../config.ts'
import { TunfilterError } from '../errors.ts'
import type { Shared } from '../rule/shared.ts'
import type { SharedUse } from '../rule/shared-names.ts'

/** Kind under which accounting objects are shared. */
export const ACCOUNTING = 'accounting object'
/** Bytes of a name. */
export const NAME_MAX = 31

export interface Quota {
  readonly of: 'packet' | 'byte'
  readonly limit: number
}

export class Account {
  readonly name: string
  readonly quota: Quota | undefined
  packets = 0
  bytes = 0

  constructor(name: string, quota: Quota | undefined) {
    this.name = name
    this.quota = quota
  }

  count(bytes: number): void {
    this.packets++
    this.bytes += bytes
  }

  /** More than the quota was counted. */
  get isOver(): boolean {
    const { quota } = this
    return quota !== undefined && (quota.of === 'byte' ? this.bytes : this.packets) > quota.limit
  }

  reset(): void {
    this.packets = 0
    this.bytes = 0
  }
}

export class Accounts {
  readonly #shared: Shared

  /** @param given objects to begin with, as the configuration has them */
  constructor(shared: Shared, given: RouterConfig['accounting'] = {}) {
    this.#shared = shared
    for (const [name, { packets, bytes }] of Object.entries(given)) {
      const isName = name !== '' && Buffer.byteLength(name) <= NAME_MAX && !/[\s"'\\]/.test(name)
      if (!isName)
        throw new TunfilterError(
          'ERR_CONFIG',
          `accounting: '${name}': expected a name of 1 to ${NAME_MAX} bytes without blanks and quotes`,
        )
      if (packets !== undefined) this.add(name, { of: 'packet', limit: packets })
      else this.add(name, bytes === undefined ? undefined : { of: 'byte', limit: bytes })
    }
  }

  /** In the order in which they were made. */
  get all(): readonly Account[] {
    return this.#shared.all<Account>(ACCOUNTING)
  }

  /** Whether there is the one that a rule names. */
  readonly isThere = ({ name }: SharedUse): boolean => this.find(name) !== undefined

  find(name: string): Account | undefined {
    return this.#shared.find<Account>(ACCOUNTING, name)
  }

  /** @returns undefined where there is one of that name */
  add(name: string, quota?: Quota): Account | undefined {
    if (this.find(name) !== undefined) return undefined
    const account = this.#shared.of(ACCOUNTING, name, () => new Account(name, quota))
    // It stays although no rule names it.
    this.#shared.taken()
    return account
  }

  /** @returns false where a rule names it */
  delete({ name }: Account): boolean {
    if (this.#shared.users(ACCOUNTING, name) > 1) return false
    this.#shared.release([`${ACCOUNTING} ${name}`])
    return true
  }
}
