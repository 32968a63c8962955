// Addresses of the hosts that a command names behind -s and -d, as iptables takes them: the name stands for all addresses that the
// host has in the family, so the rule is made once for each. /etc/hosts is asked, then the name servers, before the command's
// turn: other commands and packets go on meanwhile, and no command waits for longer than COMMAND_MS. A name that is not found
// stays as it is, and is complained of where it stands.

import { Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { splitWords } from '../iptables/lexer.ts'
import { parseLoose } from '../rule/address.ts'
import type { Family } from '../rule/model.ts'

/** Milliseconds that a name server is waited for, and that all look-ups of one command take together. */
const SERVER_MS = 1000
const COMMAND_MS = 5000
const OPTIONS = new Set(['-s', '--source', '--src', '-d', '--destination', '--dst'])
/** A line with a word behind such an option that may be a name: it has a letter, and no colon as IPv6's addresses have. */
const NAMED =
  /(?:^|[ \t])(?:-s|-d|--source|--src|--destination|--dst)[ \t]+[^ \t\n:"]*[A-Za-z][^ \t\n:"]*(?:[ \t\n]|$)/m

export interface HostAddressesOptions {
  readonly hosts?: string
  readonly ask?: (name: string, family: Family) => Promise<readonly string[]>
  readonly commandMs?: number
}

/** The look-ups of one command. */
export class HostAddresses {
  readonly #family: Family
  readonly #hosts: string
  readonly #ask: (name: string, family: Family) => Promise<readonly string[]>
  /** Made for the first name that no file has: it reads resolv.conf, and most commands name no host. */
  #resolver: Resolver | undefined
  readonly #end: number
  readonly #found = new Map<string, readonly string[]>()
  #text: Promise<string> | undefined

  constructor(family: Family, { hosts = '/etc/hosts', ask, commandMs = COMMAND_MS }: HostAddressesOptions = {}) {
    this.#family = family
    this.#hosts = hosts
    this.#ask = ask ?? ((name, of) => this.#askServers(name, of))
    this.#end = performance.now() + commandMs
  }

  /** A command's words with addresses in the places of names; never rejects. */
  async inWords(words: readonly string[]): Promise<string[]> {
    const numeric = [...words]
    for (let i = 1; i < words.length; i++)
      if (OPTIONS.has(words[i - 1]) && words[i - 2] !== '--comment') numeric[i] = await this.#numeric(words[i])
    return numeric
  }

  /** The same for rules as iptables-restore reads them. */
  async inText(text: string): Promise<string> {
    if (!NAMED.test(text)) return text
    const lines = text.split('\n')
    for (const [i, line] of lines.entries()) if (NAMED.test(line)) lines[i] = await this.#inLine(line)
    return lines.join('\n')
  }

  async #inLine(line: string): Promise<string> {
    const words = splitWords(line)
    const numeric = await this.inWords(words.map(({ text }) => text))
    let read = 0
    let made = ''
    for (const [i, { text, column }] of words.entries()) {
      if (numeric[i] === text) continue
      made += line.slice(read, column - 1) + numeric[i]
      read = column - 1 + text.length
    }
    return made + line.slice(read)
  }

  /** @param list addresses and names with commas between them, each with a mask or without */
  async #numeric(list: string): Promise<string> {
    const parts: string[] = []
    for (const part of list.split(',')) {
      const slash = part.lastIndexOf('/')
      const name = slash < 0 ? part : part.slice(0, slash)
      const mask = slash < 0 ? '' : part.slice(slash)
      // Every address is meant by `anything/0`.
      const found = this.#isName(name) && mask !== '/0' ? await this.#addressesOf(name) : []
      parts.push(...(found.length === 0 ? [part] : found.map((address) => `${address}${mask}`)))
    }
    return parts.join(',')
  }

  #askServers(name: string, family: Family): Promise<readonly string[]> {
    this.#resolver ??= new Resolver({ timeout: SERVER_MS, tries: 1 })
    return family === 4 ? this.#resolver.resolve4(name) : this.#resolver.resolve6(name)
  }

  #isName(text: string): boolean {
    return /^[\w-][\w.-]*$/.test(text) && /[A-Za-z]/.test(text) && parseLoose(text, this.#family) === undefined
  }

  async #addressesOf(name: string): Promise<readonly string[]> {
    const known = this.#found.get(name)
    if (known !== undefined) return known
    this.#text ??= readFile(this.#hosts, 'utf8').catch(() => '')
    let found: readonly string[] = addressesIn(await this.#text, name, this.#family)
    const left = this.#end - performance.now()
    if (found.length === 0 && left > 0) {
      let timer: NodeJS.Timeout | undefined
      const end = new Promise<readonly string[]>((resolve) => {
        timer = setTimeout(resolve, left, [])
      })
      found = await Promise.race([this.#ask(name, this.#family).catch(() => []), end])
      clearTimeout(timer)
      this.#resolver?.cancel()
    }
    found = [...new Set(found)]
    this.#found.set(name, found)
    return found
  }
}

/** All addresses of a family that a hosts file has for a name. */
export function addressesIn(hosts: string, name: string, family: Family): string[] {
  return hosts.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    const has = names.some((one) => one.toLowerCase() === name.toLowerCase())
    return has && address.includes(':') === (family === 6) && parseLoose(address, family) !== undefined ? [address] : []
  })
}
