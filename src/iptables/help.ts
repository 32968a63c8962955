// What `-h` prints, in our own words: commands and options, and those of each match and target that was named before it.

import type { Option } from '../rule/option.ts'
import type { ExtensionDeclaration } from './extension.ts'
import { banner, type Program } from './program.ts'

export function help(program: Program, of: readonly ExtensionDeclaration[]): string {
  const { name } = program
  return `${banner(program)}: the rules of a running tunfilter

Usage: ${name} -A|-C|-D CHAIN RULE          append, look for, delete a rule
       ${name} -I CHAIN [NUMBER] RULE       insert (1 is the first place)
       ${name} -R CHAIN NUMBER RULE         replace
       ${name} -D CHAIN NUMBER              delete by number
       ${name} -L|-S [CHAIN [NUMBER]]       list in columns, or as commands
       ${name} -F|-Z|-X [CHAIN]             flush, zero counters (also of one rule: -Z CHAIN NUMBER), delete chains
       ${name} -N CHAIN                     make a chain
       ${name} -E CHAIN NAME                rename a chain
       ${name} -P CHAIN ACCEPT|DROP         set a policy
       ${name} -h (print this help information); behind -m MATCH, -j TARGET or -p PROTOCOL, their options too

Rule:  [!] -s, -d ADDRESS[/MASK][,...]   [!] -i, -o DEVICE[+]   [!] -p PROTOCOL${program.family === 4 ? '   [!] -f' : ''}
       -m MATCH [its options]   -j TARGET|CHAIN [its options]   -g CHAIN   -c PACKETS BYTES

Options: -t TABLE (filter)   -v verbose   -n numbers, no names   -x exact counters   --line-numbers
         -w [SECONDS] is taken: commands are done one after the other   -V version
${of.map(helpOf).join('')}`
}

function helpOf(declaration: ExtensionDeclaration): string {
  const { name, kind, summary, options, notes = '' } = declaration
  const lines = Object.entries(options).map(([option, of]) => helpOfOption(option, of as Option<unknown>))
  const none = lines.length === 0 ? '  (none)\n' : ''
  return `\n${name} ${kind} options: (${summary})\n${lines.join('')}${none}${notes}`
}

function helpOfOption(name: string, { kind, traits }: Option<unknown>): string {
  const words = kind.words === 0 ? '' : ' VALUE'.repeat(kind.words)
  const said = [`${traits.negated ? '[!]' : '   '} --${name}${words}`]
  if (traits.aliases.length > 0) said.push(`(or ${traits.aliases.map((alias) => `--${alias}`).join(', ')})`)
  if (traits.isRequired) said.push('(needed)')
  const lines = [traits.summary, kind.words === 0 ? '' : kind.expects].filter((line) => line !== '')
  return `  ${said.join(' ')}\n${lines.map((line) => `          ${line}\n`).join('')}`
}

export const RESTORE_HELP = ({ name }: Program) =>
  `Usage: ${name} [-c] [-v] [-V] [-t] [-h] [-n] [-w SECONDS] [-W MICROSECONDS] [-T TABLE] [FILE]
\t   [ --counters ]
\t   [ --verbose ]
\t   [ --version ]
\t   [ --test ]
\t   [ --help ]
\t   [ --noflush ]
\t   [ --wait=SECONDS ]
\t   [ --table=TABLE ]
`
