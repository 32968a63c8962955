// Host names of addresses, as `ipset -resolve` prints them: what /etc/hosts says, then what the name servers say. Nothing waits
// for it but the command that asked: look-ups are asynchronous, some at a time, and none goes on for longer than the command
// may take. An address without a name, or whose name did not come in time, has none.

import { Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { parseAddress } from '../wire/address.ts'
import { format6, parse6 } from '../wire/address6.ts'

/** An address as sets are listed with it, and its name, '' for none. */
export type Named = readonly [address: string, name: string]

/** Milliseconds that a name server is waited for, and that all look-ups of one command take together. */
const SERVER_MS = 1000
const COMMAND_MS = 5000
/** Questions that are under way at the same time. */
const AT_ONCE = 32

export interface HostNamesOptions {
  readonly hosts?: string
  readonly reverse?: (address: string) => Promise<string[]>
  readonly commandMs?: number
}

/** The look-ups of one command. */
export class HostNames {
  readonly #resolver = new Resolver({ timeout: SERVER_MS, tries: 1 })
  readonly #hosts: Promise<ReadonlyMap<string, string>>
  readonly #reverse: (address: string) => Promise<string[]>
  readonly #left: number

  constructor({ hosts = '/etc/hosts', reverse, commandMs = COMMAND_MS }: HostNamesOptions = {}) {
    this.#hosts = readFile(hosts, 'utf8').then(namesIn, () => new Map())
    this.#reverse = reverse ?? ((address) => this.#resolver.reverse(address))
    this.#left = performance.now() + commandMs
  }

  /** Never rejects. */
  async of(addresses: readonly string[]): Promise<Named[]> {
    const hosts = await this.#hosts
    const named: Named[] = addresses.map((address) => [address, hosts.get(address) ?? ''])
    const missing = named.flatMap(([, name], i) => (name === '' ? [i] : []))
    let over = false
    const ask = async () => {
      for (let i = missing.pop(); i !== undefined && !over; i = missing.pop()) {
        const [name = ''] = await this.#reverse(addresses[i]).catch(() => [])
        if (!over) named[i] = [addresses[i], name]
      }
    }
    const left = this.#left - performance.now()
    if (left <= 0 || missing.length === 0) return named
    let timer: NodeJS.Timeout | undefined
    const end = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, left)
    })
    await Promise.race([Promise.all(Array.from({ length: AT_ONCE }, ask)), end])
    clearTimeout(timer)
    over = true
    this.#resolver.cancel()
    return named
  }
}

/** The first name of each address of a hosts file; where an address stands in several lines, the first counts. */
export function namesIn(hosts: string): Map<string, string> {
  const names = new Map<string, string>()
  for (const line of hosts.split('\n')) {
    const [text = '', name] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (name === undefined) continue
    const six = text.includes(':') ? parse6(text) : undefined
    const address = six !== undefined ? format6(six) : parseAddress(text) !== undefined ? text : undefined
    if (address !== undefined && !names.has(address)) names.set(address, name)
  }
  return names
}
