// What `-h` prints: commands and options, in our own words.

import { banner, type Program } from './program.ts'

export function help(program: Program): string {
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

Rule:  [!] -s, -d ADDRESS[/MASK][,...]   [!] -i, -o DEVICE[+]   [!] -p PROTOCOL   [!] -f
       -m MATCH [its options]   -j TARGET|CHAIN [its options]   -g CHAIN   -c PACKETS BYTES

Options: -t TABLE (filter)   -v verbose   -n numbers, no names   -x exact counters   --line-numbers
         -w [SECONDS] is taken: commands are done one after the other   -V version
`
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
