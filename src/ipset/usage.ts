// What ipset's commands take, in short: for `ipset help`, and for messages that say what was expected.

import { SET_TYPES, type SetType } from './type.ts'

/** The version whose language is spoken here. */
export const VERSION = 'v7.17'

const PARTS: Readonly<Record<string, string>> = {
  ip: 'IP',
  net: 'IP[/LENGTH]',
  port: '[PROTOCOL:]PORT',
  iface: '[physdev:]DEVICE',
  mac: 'MAC',
  mark: 'MARK',
}

/** How a member is written: `IP,[PROTOCOL:]PORT`. */
export function memberForm({ parts, structure, name }: SetType): string {
  if (structure === 'list') return 'SETNAME [before|after SETNAME]'
  if (name === 'bitmap:port') return '[PROTOCOL:]PORT'
  if (name === 'bitmap:ip,mac') return 'IP[,MAC]'
  return parts.map((part) => PARTS[part]).join(',')
}

const VALUES: Readonly<Record<string, string>> = {
  family: 'inet|inet6',
  netmask: 'LENGTH',
  bitmask: 'MASK',
  range: 'FROM-TO',
}
const FLAGS: ReadonlySet<string> = new Set(['counters', 'comment', 'forceadd', 'skbinfo'])

/** The options of `create` for a type. */
export function createForm({ create }: SetType): string {
  return create.map((option) => (FLAGS.has(option) ? `[${option}]` : `[${option} ${VALUES[option] ?? 'N'}]`)).join(' ')
}

export function helpText(type: SetType | undefined): string {
  if (type !== undefined)
    return `create SETNAME ${type.name} ${createForm(type)}\nadd|del|test SETNAME ${memberForm(type)}\n`
  return `ipset ${VERSION}

Usage: ipset [options] COMMAND

Commands:
  create SETNAME TYPE [options]   make a set
  destroy [SETNAME]               take a set away, or all
  add SETNAME MEMBER [options]    add a member
  del SETNAME MEMBER              take a member away
  test SETNAME MEMBER             say whether a member is there
  list [SETNAME]                  print a set, or all
  save [SETNAME]                  print a set, or all, for restore
  restore                         do the commands on standard input
  flush [SETNAME]                 empty a set, or all
  rename FROM TO                  give a set another name
  swap ONE OTHER                  let two sets change places
  help [TYPE]                     print this, or what a type takes
  version                         print the version

Options:
  -!, -exist        what is there already, or is not there, is no error
  -o, -output MODE  plain, save, xml or json
  -s, -sorted       members in order
  -n, -name         names of sets alone
  -t, -terse        without members
  -r, -resolve      names of hosts instead of addresses
  -q, -quiet        no messages
  -f, -file FILE    read from, or write to, this file

Types:
${SET_TYPES.map(({ name }) => `  ${name}\n`).join('')}`
}
