// Match owner (xt_owner): who owns the socket that a packet came from. A forwarded packet has none, nor has a reset that a rule
// sends: then it matches if all that is asked is negated. What else the router says of itself comes from a socket of the
// kernel's own, which exists and belongs to nobody.

import { readFileSync } from 'node:fs'
import { defineMatch, NotTaken } from '../rule/define.ts'
import { apart, words } from '../rule/listing.ts'
import type { Negatable } from '../rule/model.ts'
import { isNumber, parseNumber } from '../rule/number.ts'
import { flag, type Option, type Range, unexpected, word } from '../rule/option.ts'

/** The largest identifier: the one above it means nobody. */
const MAX = 0xfffffffe

function identifier(what: string, file: string): Option<Range, true, false> {
  const expects = `a ${what}'s name or number, or a range FIRST-LAST of numbers`
  return word<Range>(
    expects,
    (text) => {
      const named = isNumber(text) ? undefined : idOf(text, file)
      if (named !== undefined) return { min: named, max: named }
      const [min, max] = text.split(/[-:](.*)/s).map((part) => parseNumber(part, MAX))
      if (min === undefined || (/[-:]/.test(text) && max === undefined)) return unexpected(text, expects)
      return { min, max: max ?? min }
    },
    ({ min, max }) => (min === max ? String(min) : `${min}-${max}`),
  ).negatable()
}

/** Its name, in a file as /etc/passwd and /etc/group are; undefined where it has none. */
function nameOf(id: number, file: string): string | undefined {
  try {
    const lines = readFileSync(file, 'latin1').split('\n')
    return lines.map((one) => one.split(':')).find((fields) => fields[2] === String(id))?.[0]
  } catch {
    return undefined
  }
}

/** By name, in a file as /etc/passwd and /etc/group are. */
function idOf(name: string, file: string): number | undefined {
  try {
    const line = readFileSync(file, 'latin1')
      .split('\n')
      .find((one) => one.startsWith(`${name}:`))
    return line === undefined ? undefined : parseNumber(line.split(':')[2] ?? '', MAX)
  } catch {
    return undefined
  }
}

export const owner = defineMatch({
  name: 'owner',
  summary: 'who owns the socket that a packet came from',
  hooks: ['OUTPUT', 'POSTROUTING'],
  options: {
    'socket-exists': flag().negatable().help('there is a socket'),
    'uid-owner': identifier('user', '/etc/passwd').help("the user that the socket's process runs as"),
    'gid-owner': identifier('group', '/etc/group').help("the group that the socket's process runs as"),
    'suppl-groups': flag().help("--gid-owner looks at the process' other groups too"),
  },
  anyOf: ['socket-exists', 'uid-owner', 'gid-owner'],
  check: (o) => {
    const order = Object.keys(o)
    const late = o['gid-owner'] === undefined || order.indexOf('suppl-groups') < order.indexOf('gid-owner')
    if (o['suppl-groups'] && late) return '--suppl-groups: expected --gid-owner to stand before it'
    for (const name of ['uid-owner', 'gid-owner'] as const) {
      const range = o[name]?.value
      if (range !== undefined && range.max < range.min)
        return new NotTaken('tables', `--${name} ${range.min}-${range.max} runs backwards: expected FIRST-LAST`)
    }
    return undefined
  },
  list: (o, numeric) => {
    const who = (range: Negatable<Range>, file: string) => {
      const { min, max } = range.value
      if (min !== max) return `${min}-${max}`
      return (numeric ? undefined : nameOf(min, file)) ?? String(min)
    }
    const [exists, user, group] = [o['socket-exists'], o['uid-owner'], o['gid-owner']]
    return words(
      exists && `${apart(exists)}owner socket exists`,
      user && `${apart(user)}owner UID match ${who(user, '/etc/passwd')}`,
      group && `${apart(group)}owner GID match ${who(group, '/etc/group')}`,
      o['suppl-groups'] && 'incl. suppl. groups',
    )
  },
  looks: 'packet',
  match: (o) => {
    const exists = o['socket-exists']
    const owners = [o['uid-owner'], o['gid-owner']]
    const nobody = owners.every((one) => one === undefined || one.not)
    const without = nobody && o['suppl-groups'] === undefined && (exists === undefined || exists.not) ? 1 : 0
    const within = nobody && !exists?.not ? 1 : 0
    return (p) => (p.socket ? within : without)
  },
})
