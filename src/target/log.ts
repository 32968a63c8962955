// Target LOG (xt_LOG with nf_log_syslog): a line about the packet, and on to the next rule. --log-uid names the socket's owner
// in Linux; a packet that was forwarded, or that this router made, has no socket, so nothing is said there nor here.

import { CONTINUE, defineTarget } from '../rule/define.ts'
import { logText } from '../rule/log-text.ts'
import { LOG_IP_OPTIONS, LOG_TCP_OPTIONS, LOG_TCP_SEQUENCE } from '../rule/log-text-transport.ts'
import { parseNumber } from '../rule/number.ts'
import { flag, Problem, shown, text, word } from '../rule/option.ts'

const LEVELS: Readonly<Record<string, number>> = {
  emerg: 0,
  panic: 0,
  alert: 1,
  crit: 2,
  error: 3,
  warning: 4,
  notice: 5,
  info: 6,
  debug: 7,
}
const EXPECTS = `a level from 0 to 7, or one of ${Object.keys(LEVELS).join(', ')}`

const level = word<number>(
  EXPECTS,
  (given) =>
    parseNumber(given, 7) ??
    (Object.hasOwn(LEVELS, given)
      ? LEVELS[given]
      : new Problem(`${shown(given)} is not understood: expected ${EXPECTS}`)),
  String,
)

/** Options with their bits, as listings show them. */
const LISTED = [
  ['log-tcp-sequence', 1],
  ['log-tcp-options', 2],
  ['log-ip-options', 4],
  ['log-uid', 8],
  ['log-macdecode', 32],
] as const
const LEVEL_NAMES = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug']

export const log = defineTarget({
  name: 'LOG',
  summary: 'writes a line about the packet and goes on',
  terminal: false,
  options: {
    'log-prefix': text({ min: 1, max: 29, cut: true }).help('begins the line; what is beyond 29 bytes is cut off'),
    'log-level': level.default(4).help("syslog's level, by name or number"),
    'log-tcp-sequence': flag().help('with TCP sequence numbers'),
    'log-tcp-options': flag().help('with TCP options'),
    'log-ip-options': flag().help('with IP options'),
    'log-uid': flag().help("with the socket's owner, which packets here do not have"),
    'log-macdecode': flag().help('with link addresses taken apart, which TUN devices do not have'),
  },
  list: (o, numeric) => {
    const flags = LISTED.filter(([option]) => o[option])
    const severity = o['log-level']
    const words = numeric
      ? [`LOG flags ${flags.reduce((sum, [, bit]) => sum | bit, 0)} level ${severity}`]
      : [`LOG level ${LEVEL_NAMES[severity]}`, ...flags.map(([option]) => option.slice('log-'.length))]
    if (o['log-prefix'] !== undefined) words.push(`prefix "${o['log-prefix']}"`)
    return words.join(' ')
  },
  target: (o, env) => {
    const prefix = o['log-prefix'] ?? ''
    const severity = o['log-level']
    const flags =
      (o['log-tcp-sequence'] ? LOG_TCP_SEQUENCE : 0) |
      (o['log-tcp-options'] ? LOG_TCP_OPTIONS : 0) |
      (o['log-ip-options'] ? LOG_IP_OPTIONS : 0)
    return (p, hook) => {
      env.log(severity, prefix + logText(p, hook, flags, env.links))
      return CONTINUE
    }
  },
})
