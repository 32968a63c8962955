// Flows as commands that make them again, as conntrack 1.4.7 prints them (`-o save`), for `conntrack -R`.

import * as ip from '../../wire/ipv4.ts'
import * as f from '../record.ts'
import type { FlowEntry } from './entry.ts'
import { addressText, type EventFields, protocolName, zones } from './line.ts'

const COMMANDS = { new: '-A', update: '-U', destroy: '-D' } as const

const STATUS = [
  ['EXPECTED', f.EXPECTED],
  ['SEEN_REPLY', f.SEEN_REPLY],
  ['ASSURED', f.ASSURED],
  ['FIXED_TIMEOUT', f.FIXED_TIMEOUT],
] as const

export function formatSaved(entry: FlowEntry, event?: EventFields): string {
  const { original, reply, status, protocol } = entry
  const [zone, originalZone, replyZone] = zones(entry)
  const set = STATUS.filter(([, bit]) => (status & bit) !== 0).map(([name]) => name)
  const words: (string | number)[] = [COMMANDS[event?.kind ?? 'new'], '-t', entry.seconds]
  const add = (given: boolean, ...more: (string | number)[]) => given && words.push(...more)
  words.push('-u', set.join(',') || 'UNSET')
  add(zone !== 0, '-w', zone)
  add(originalZone !== 0, '--orig-zone', originalZone)
  add(replyZone !== 0, '--reply-zone', replyZone)
  words.push('-s', addressText(original.source), '-d', addressText(original.destination))
  words.push(isDnat(entry) ? '-g' : '-r', addressText(reply.source))
  words.push(isSnat(entry) ? '-n' : '-q', addressText(reply.destination))
  words.push('-p', protocolName(protocol) === 'unknown' ? protocol : protocolName(protocol))
  words.push(...protocolWords(entry, event))
  return words.join(' ')
}

/** The source address is translated. */
export function isSnat({ status, original, reply }: FlowEntry): boolean {
  return (status & f.SRC_NAT) !== 0 && original.source.some((word, i) => word !== reply.destination[i])
}

/** The destination address is translated. */
export function isDnat({ status, original, reply }: FlowEntry): boolean {
  return (status & f.DST_NAT) !== 0 && original.destination.some((word, i) => word !== reply.source[i])
}

function protocolWords(
  { protocol, original, reply, state, tags }: FlowEntry,
  event?: EventFields,
): (string | number)[] {
  const named = state !== '' && (event === undefined || event.state)
  switch (protocol) {
    case ip.PROTO_ICMP:
    case ip.PROTO_ICMPV6: {
      const icmp = protocol === ip.PROTO_ICMP ? '--icmp' : '--icmpv6'
      const [type, code] = [original.dport >> 8, original.dport & 255]
      return [`${icmp}-type`, type, `${icmp}-code`, code, `${icmp}-id`, original.sport]
    }
    case ip.PROTO_GRE:
      return [
        ...['--srckey', original.sport, '--dstkey', original.dport],
        ...['--reply-key-src', reply.sport, '--reply-key-dst', reply.dport],
      ]
    case ip.PROTO_TCP:
    case ip.PROTO_UDP:
    case ip.PROTO_DCCP:
    case ip.PROTO_SCTP:
    case ip.PROTO_UDPLITE:
      return [
        ...['--sport', original.sport, '--dport', original.dport],
        ...['--reply-port-src', reply.sport, '--reply-port-dst', reply.dport],
        ...(named ? ['--state', state] : []),
        ...(protocol === ip.PROTO_SCTP ? ['--orig-vtag', tags[0], '--reply-vtag', tags[1]] : []),
      ]
    default:
      return []
  }
}
