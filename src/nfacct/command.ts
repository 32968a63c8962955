// nfacct's command line: its words into what it prints and its exit status, as nfacct 1.0.2 of Debian 12 has them. `restore` reads
// what `list` prints, objects with quotas too.

import { type Account, type Accounts, NAME_MAX, type Quota } from './accounts.ts'

export interface NfacctResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

const VERSION = 'nfacct v1.0.2'
const USAGE = 'Usage: nfacct command [parameters]...\n'
const HELP = `${VERSION}: accounting objects of a running tunfilter
${USAGE}
Commands:
  list [reset] [xml|json]               print all objects (and set them to 0)
  add NAME [byte QUOTA|packet QUOTA]    make one
  delete NAME                           delete one that no rule names
  get NAME [reset] [xml|json]           print one (and set it to 0)
  flush                                 delete all that no rule names
  restore                               make what standard input has, as list prints it
  version, help
`

class Refused extends Error {}

const fail = (message: string) => new Refused(message)
const error = (message: string) => fail(`error: ${message}`)

/**
 * @param words behind the command's name
 * @param input standard input, which restore reads
 * @param now milliseconds since the epoch, for JSON's time stamp
 */
export function runNfacct(accounts: Accounts, words: readonly string[], input: string, now: number): NfacctResult {
  const [command, ...rest] = words
  try {
    return { status: 0, stdout: run(accounts, command, rest, input, now), stderr: '' }
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused
    const usage = command === undefined ? '' : `${VERSION}: ${refused.message}\n`
    return { status: 1, stdout: '', stderr: usage + (isKnown(command) ? '' : USAGE) }
  }
}

const COMMANDS = ['list', 'add', 'delete', 'get', 'flush', 'restore', 'monitor', 'version', 'help'] as const
const isKnown = (command: string | undefined) => COMMANDS.some((name) => name === command)

function run(
  accounts: Accounts,
  command: string | undefined,
  words: readonly string[],
  input: string,
  now: number,
): string {
  switch (command) {
    case 'list':
      return printed(accounts, accounts.all, words, now)
    case 'get':
      return printed(accounts, [named(accounts, words[0])], words.slice(1), now)
    case 'add':
      add(accounts, words)
      return ''
    case 'delete':
      if (!accounts.delete(named(accounts, words[0]))) throw error('Device or resource busy')
      return ''
    case 'flush':
      for (const account of accounts.all) accounts.delete(account)
      return ''
    case 'restore':
      restoreAccounts(accounts, input)
      return ''
    case 'version':
      return `${VERSION}: accounting objects of a running tunfilter\n`
    case 'help':
      return HELP
    case 'monitor':
      throw fail('monitor: quotas that are reached are not told')
    default:
      throw fail(`Unknown command: ${command}`)
  }
}

function nameOf(word: string | undefined): string {
  if (word === undefined) throw fail('missing object name')
  return Buffer.from(word).toString('utf8', 0, NAME_MAX)
}

function named(accounts: Accounts, word: string | undefined): Account {
  const found = accounts.find(nameOf(word))
  if (found === undefined) throw error('No such file or directory')
  return found
}

function add(accounts: Accounts, [word, unit, limit, ...more]: readonly string[]): void {
  const name = nameOf(word)
  let quota: Quota | undefined
  if (unit !== undefined) {
    if (unit !== 'byte' && unit !== 'packet') throw fail('argument must "byte" or "packet"')
    if (limit === undefined) throw fail('missing quota value')
    if (!/^\d{1,15}$/.test(limit)) throw fail('error reading quota')
    if (more.length > 0) throw fail('too many arguments')
    quota = { of: unit, limit: Number(limit) }
  }
  if (accounts.add(name, quota) === undefined) throw error('Device or resource busy')
}

function printed(accounts: Accounts, of: readonly Account[], options: readonly string[], now: number): string {
  let form: 'plain' | 'xml' | 'json' = 'plain'
  let reset = false
  for (const option of options) {
    if (option === 'reset') reset = true
    else if (option === 'xml' || option === 'json') form = option
    else throw fail('unknown argument')
  }
  const text = form === 'xml' ? xml(of) : form === 'json' ? json(of, now) : of.map(plain).join('')
  if (reset) for (const account of of) accounts.find(account.name)?.reset()
  return text
}

const digits = (value: number) => String(value).padStart(20, '0')

function plain(account: Account): string {
  const { name, packets, bytes, quota } = account
  const limit =
    quota && `, quota = ${digits(quota.limit)}, mode = ${quota.of}, overquota = ${account.isOver ? 'yes' : 'no'}`
  return `{ pkts = ${digits(packets)}, bytes = ${digits(bytes)}${limit ?? ''} } = ${name};\n`
}

function xml(of: readonly Account[]): string {
  const objects = of.map(
    ({ name, packets, bytes }) =>
      `<obj><name>${escaped(name)}</name><pkts>${digits(packets)}</pkts><bytes>${digits(bytes)}</bytes></obj>\n`,
  )
  return `<?xml version="1.0" encoding="utf-8"?>\n<nfacct>\n${objects.join('')}</nfacct>\n`
}

const ENTITIES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;' }
const escaped = (text: string) => text.replace(/[<>&"]/g, (one) => ENTITIES[one])

/** With the `=` of the real one, which is no JSON where there are quotas. */
function json(of: readonly Account[], now: number): string {
  const objects = of.map((account) => {
    const { name, packets, bytes, quota } = account
    const limit = quota && `"quota" : ${quota.limit}, "mode" = "${quota.of}", "overquota" = ${account.isOver ? 1 : 0}, `
    return `  { "pkts" : ${packets}, "bytes" : ${bytes}, ${limit ?? ''}"name" : ${JSON.stringify(name)} }`
  })
  return `{ "timestamp" : ${Math.floor(now / 1000)}, \n  "nfacct_counters" : [\n${objects.join(',\n')}\n] }\n`
}

const LINE =
  /^\{ pkts = (\d+), bytes = (\d+)(?:, quota = (\d+), mode = (packet|byte), overquota = (?:yes|no))? \} = (.{1,31});$/

/**
 * Makes what `list` has printed, line by line as the real one: those before a line that is something else, or names an object that is
 * there, are made. Throws a Refused for such a line.
 */
function restoreAccounts(accounts: Accounts, text: string): void {
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const found = LINE.exec(line)
    if (found === null) throw fail(`invalid line ${i + 1}: expected what list prints`)
    const [, packets, bytes, limit, of, name] = found
    const quota = limit === undefined ? undefined : { of: of as Quota['of'], limit: Number(limit) }
    const account = accounts.add(name, quota)
    if (account === undefined) throw error('Device or resource busy')
    account.packets = Number(packets)
    account.bytes = Number(bytes)
  }
}
