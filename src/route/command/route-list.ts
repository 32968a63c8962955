// `ip route show`: which routes, in Linux's order, as text or JSON.

import { commonBits, holds, type RouteEntry, samePrefix, sameWords, TABLE_LOCAL, TABLE_MAIN } from '../entry.ts'
import { protocolOf, scopeOf } from './names.ts'
import { addressOf, type Family, type Prefix, prefixOf } from './prefix.ts'
import { formatRoute, routeJson, routeType, type Shown } from './route-words.ts'
import { type How, type IpRouter, linkOf, planeOf } from './router.ts'
import { IpFault, REFUSED, Words, wrongArgument } from './words.ts'

export interface Selection {
  readonly entries: readonly RouteEntry[]
  /** Of what was asked for by a single value nothing is shown. */
  readonly hidden: Pick<Shown, 'table' | 'via' | 'dev' | 'protocol' | 'scope'>
}

/** The routes that a selector means. */
export function selected(router: IpRouter, args: readonly string[], family: Family): Selection {
  const words = new Words(args)
  const { tables } = planeOf(router, family)
  const tests: ((entry: RouteEntry) => boolean)[] = []
  const hidden = { table: false, via: true, dev: true, protocol: true, scope: true }
  let table: number | undefined = TABLE_MAIN
  const value = (read: (word: string) => number | undefined, why: string): number => {
    const word = words.next()
    const number = read(word)
    if (number === undefined) throw wrongArgument(word, why)
    return number
  }
  while (!words.done) {
    const word = words.next()
    switch (word) {
      case 'table': {
        hidden.table = words.skip('all')
        table = hidden.table
          ? undefined
          : value((name) => router.names.tables.number(name), 'table id value is invalid\n')
        break
      }
      case 'dev':
      case 'oif': {
        const link = linkOf(router, words.next())
        tests.push(({ hops }) => hops.length === 1 && hops[0].link === link)
        hidden.dev = false
        break
      }
      case 'via': {
        words.skip('inet', 'inet6')
        hidden.via = false
        const via = addressOf(words.next(), family)
        tests.push(({ hops }) => hops.length === 1 && hops[0].via !== undefined && sameWords(hops[0].via, via))
        break
      }
      case 'src': {
        const source = addressOf(words.next(), family)
        tests.push((entry) => entry.source !== undefined && sameWords(entry.source, source))
        break
      }
      case 'protocol':
      case 'proto': {
        const protocol = value(protocolOf, 'invalid "protocol"\n')
        tests.push((entry) => entry.protocol === protocol)
        hidden.protocol = false
        break
      }
      case 'scope': {
        const scope = value(scopeOf, 'invalid "scope"\n')
        tests.push((entry) => entry.scope === scope)
        hidden.scope = false
        break
      }
      case 'type': {
        const kind = value(routeType, 'node type value is invalid\n')
        tests.push((entry) => entry.type === kind)
        break
      }
      case 'cache':
      case 'cached':
      case 'cloned':
        // There is no cache to show.
        tests.push(() => false)
        break
      default:
        tests.push(destination(word, words, family))
    }
  }
  if (table !== undefined && table !== TABLE_MAIN && table !== TABLE_LOCAL && !tables.numbers.includes(table))
    throw new IpFault(`Error: ipv${family}: FIB table does not exist.\nDump terminated\n`, REFUSED)
  const numbers = table === undefined ? [...tables.numbers].sort((a, b) => (a & 255) - (b & 255)) : [table]
  const order = family === 4 ? before : before6
  const entries = numbers.flatMap((number) => [...tables.entries(number)].sort(order))
  return { entries: entries.filter((entry) => tests.every((test) => test(entry))), hidden }
}

/** `root PREFIX`, `match PREFIX`, `exact PREFIX`, `PREFIX` */
function destination(word: string, words: Words, family: Family): (entry: RouteEntry) => boolean {
  const how = word === 'to' ? (words.peek ?? '') : word
  const named = how === 'root' || how === 'match' || how === 'exact'
  if (word === 'to' && named) words.next()
  const prefix: Prefix = prefixOf(named || word === 'to' ? words.next() : word, family)
  const within = (entry: RouteEntry) =>
    entry.prefixLength >= prefix.length && commonBits(entry.network, prefix.network) >= prefix.length
  if (how === 'root') return within
  if (how === 'match')
    return (entry) => entry.prefixLength <= prefix.length && holds(entry.network, entry.prefixLength, prefix.network)
  return (entry) => entry.prefixLength === prefix.length && within(entry)
}

export function listRoutes(router: IpRouter, args: readonly string[], family: Family, how: How): string {
  const lines: string[] = []
  const objects: object[] = []
  // All tables of both families, where neither is asked for.
  const families: readonly Family[] =
    how.family === undefined && args.includes('table') && args.includes('all') && family === 4 ? [4, 6] : [family]
  for (const each of families) {
    const { entries, hidden } = selected(router, args, each)
    const shown = { details: how.details, newline: how.oneline ? '\\' : '\n', ...hidden }
    for (const entry of entries) {
      if (how.json) objects.push(routeJson(entry, router.links, router.names, shown))
      else lines.push(formatRoute(entry, router.links, router.names, shown))
    }
  }
  return how.json ? `${JSON.stringify(objects)}\n` : lines.join('')
}

/** By address, of one address the longest prefix first, then by metric. */
function before(a: RouteEntry, b: RouteEntry): number {
  return (a.network[0] >>> 0) - (b.network[0] >>> 0) || b.prefixLength - a.prefixLength || a.metric - b.metric
}

/** As a walk of the tree comes to them: what a prefix holds before itself, the rest by address. */
function before6(a: RouteEntry, b: RouteEntry): number {
  if (samePrefix(a, b)) return a.metric - b.metric
  if (holds(a.network, a.prefixLength, b.network) && a.prefixLength < b.prefixLength) return 1
  if (holds(b.network, b.prefixLength, a.network) && b.prefixLength < a.prefixLength) return -1
  for (let i = 0; i < a.network.length; i++)
    if (a.network[i] !== b.network[i]) return (a.network[i] >>> 0) - (b.network[i] >>> 0)
  return 0
}
