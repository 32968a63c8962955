// Flows as XML, one line each, as conntrack 1.4.7 prints them (`-o xml`). Its names of states are TCP's, by number, also
// for flows that are not TCP.

import * as ip from '../../wire/ipv4.ts'
import { ASSURED, SEEN_REPLY } from '../record.ts'
import { STATES } from '../tcp-states.ts'
import type { FlowEntry, Tuple } from './entry.ts'
import { addressText, type EventFields, type LineOptions, protocolName, zones } from './line.ts'

/** What a document is of, as its outermost element. */
export type Root = 'conntrack' | 'expect'

export const xmlBegin = (root: Root) => `<?xml version="1.0" encoding="utf-8"?>\n<${root}>\n`
export const xmlEnd = (root: Root) => `</${root}>\n`

/** @param when at what time to say that an event happened; left out where that is not asked for */
export function formatXml(entry: FlowEntry, options: LineOptions = {}, event?: EventFields, when?: Date): string {
  const [zone, originalZone, replyZone] = zones(entry)
  const whole = event === undefined || event.kind === 'destroy'
  return [
    event === undefined ? '<flow>' : `<flow type="${event.kind}">`,
    meta('original', entry, entry.original, originalZone, whole),
    meta('reply', entry, entry.reply, replyZone, whole),
    independent(entry, options, event, zone, whole),
    entry.helper === '' ? '' : element('helper', entry.helper),
    when === undefined ? '' : moment(when),
    '</flow>',
  ].join('')
}

export function element(name: string, content: string | number): string {
  return `<${name}>${content}</${name}>`
}

function meta(direction: string, { family, protocol }: FlowEntry, tuple: Tuple, zone: number, whole: boolean): string {
  const layer3 = element('src', addressText(tuple.source)) + element('dst', addressText(tuple.destination))
  const counted = whole && !Number.isNaN(tuple.packets)
  return [
    `<meta direction="${direction}">`,
    `<layer3 protonum="${family === 4 ? 2 : 10}" protoname="ipv${family}">${layer3}</layer3>`,
    `<layer4 protonum="${protocol}" protoname="${protocolName(protocol)}">${layer4(tuple, protocol)}</layer4>`,
    zone === 0 ? '' : element('zone', zone),
    counted ? element('counters', element('packets', tuple.packets) + element('bytes', tuple.bytes)) : '',
    '</meta>',
  ].join('')
}

export function layer4({ sport, dport }: Pick<Tuple, 'sport' | 'dport'>, protocol: number): string {
  switch (protocol) {
    case ip.PROTO_TCP:
    case ip.PROTO_UDP:
    case ip.PROTO_DCCP:
    case ip.PROTO_SCTP:
    case ip.PROTO_UDPLITE:
      return element('sport', sport) + element('dport', dport)
    case ip.PROTO_GRE:
      return element('srckey', `0x${sport.toString(16)}`) + element('dstkey', `0x${dport.toString(16)}`)
    default:
      return ''
  }
}

function independent(
  entry: FlowEntry,
  options: LineOptions,
  event: EventFields | undefined,
  zone: number,
  whole: boolean,
): string {
  const stated = entry.state !== '' && (event === undefined || event.state)
  const names = entry.labels === undefined || options.labels === undefined ? [] : options.labels(entry.labels)
  const stamped = whole && !Number.isNaN(entry.start)
  return [
    '<meta direction="independent">',
    stated ? element('state', STATES[entry.stateNumber] ?? '') : '',
    element('timeout', entry.seconds),
    event?.mark === false && entry.mark === 0 ? '' : element('mark', entry.mark),
    names.length === 0 ? '' : element('labels', names.map((name) => element('label', name)).join('')),
    zone === 0 ? '' : element('zone', zone),
    event === undefined ? element('use', (options.use ?? 1) + entry.relatives) : '',
    element('id', entry.id),
    (entry.status & ASSURED) !== 0 ? '<assured/>' : '',
    (entry.status & SEEN_REPLY) === 0 ? '<unreplied/>' : '',
    stamped && options.ktimestamp === true ? element('timestamp', stamps(entry)) : '',
    stamped ? element('deltatime', entry.lasted) : '',
    '</meta>',
  ].join('')
}

/** In nanoseconds; the flow table knows them to the thousandth of a millisecond. */
function stamps({ start, stop }: FlowEntry): string {
  const nanoseconds = (at: number) => String(BigInt(Math.round(at * 1000)) * 1000n)
  const words = start === 0 ? '' : element('start', nanoseconds(start))
  return stop === 0 ? words : words + element('stop', nanoseconds(stop))
}

/** When an event happened. */
export function moment(when: Date): string {
  const parts = [
    ['hour', when.getHours()],
    ['min', String(when.getMinutes()).padStart(2, '0')],
    ['sec', String(when.getSeconds()).padStart(2, '0')],
    ['wday', when.getDay() + 1],
    ['day', when.getDate()],
    ['month', when.getMonth() + 1],
    ['year', when.getFullYear()],
  ] as const
  return element('when', parts.map(([name, value]) => element(name, value)).join(''))
}
