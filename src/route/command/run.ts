// `ip WORDS...` on a router: objects rule, route and address, in iproute2's words and with its output and exit statuses. Whatever a
// command changes counts for the next packet.

import { TunfilterError } from '../../errors.ts'
import { addressCommand } from './address-command.ts'
import { routeCommand } from './route-command.ts'
import type { How, IpRouter } from './router.ts'
import { ruleCommand } from './rule-command.ts'
import { abbreviates, IpFault, USAGE } from './words.ts'

export interface IpResult {
  readonly stdout: string
  readonly stderr: string
  readonly status: number
}

/** In the order in which their abbreviations are looked up. */
const OBJECTS = [
  ['address', addressCommand],
  ['route', routeCommand],
  ['rule', ruleCommand],
] as const

const USAGE_TEXT = `Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }
where  OBJECT := { address | route | rule }
       OPTIONS := { -4 | -6 | -f[amily] { inet | inet6 } | -j[son] | -d[etails] | -o[neline] | -V[ersion] }
       route { show | add | change | replace | append | prepend | del | flush | get }
       rule { show | add | del | flush }
       address { show | add | del | flush }
`
/** The version whose words and output these are. */
const VERSION = 'ip utility, iproute2-6.1.0\n'

/** Does one command. Nothing is thrown for what is wrong with it, and then nothing is changed. */
export function runIp(router: IpRouter, words: readonly string[]): IpResult {
  try {
    return { stdout: run(router, words), stderr: '', status: 0 }
  } catch (fault) {
    if (fault instanceof IpFault) return { stdout: '', stderr: fault.stderr, status: fault.status }
    if (fault instanceof TunfilterError) return { stdout: '', stderr: `Error: ${fault.message}\n`, status: 2 }
    throw fault
  }
}

function run(router: IpRouter, words: readonly string[]): string {
  const how: { -readonly [K in keyof How]: How[K] } = { family: undefined, json: false, details: false, oneline: false }
  let at = 0
  for (; words[at]?.startsWith('-'); at++) {
    // One dash or two.
    const option = words[at].replace(/^--/, '-')
    if (option === '-4') how.family = 4
    else if (option === '-6') how.family = 6
    else if (option === '-V' || abbreviates(option, '-Version')) return VERSION
    else if (abbreviates(option, '-family')) how.family = familyOf(words[++at])
    else if (abbreviates(option, '-json')) how.json = true
    else if (abbreviates(option, '-details')) how.details = true
    else if (abbreviates(option, '-oneline')) how.oneline = true
    else if (option === '-h' || abbreviates(option, '-help')) throw new IpFault(USAGE_TEXT, USAGE)
    // What is resolved, coloured or counted elsewhere makes no difference here.
    else if (option === '-n' || option === '-N' || /^-c(olor)?(=.*)?$/.test(option) || /^-s/.test(option)) continue
    else throw new IpFault(`Option "${option}" is unknown, try "ip -help".\n`, USAGE)
  }
  const [object, ...args] = words.slice(at)
  if (object === undefined || object === 'help') throw new IpFault(USAGE_TEXT, USAGE)
  const found = OBJECTS.find(([name]) => abbreviates(object, name))
  if (found === undefined) throw new IpFault(`Object "${object}" is unknown, try "ip help".\n`, 1)
  if (args[0] === 'help') throw new IpFault(USAGE_TEXT, USAGE)
  return found[1](router, args, how)
}

function familyOf(word: string | undefined): 4 | 6 {
  if (word === 'inet' || word === 'inet6') return word === 'inet' ? 4 : 6
  throw new IpFault(`Error: argument "${word ?? ''}" is wrong: invalid protocol family\n`, USAGE)
}
