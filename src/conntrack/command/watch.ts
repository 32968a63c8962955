// `conntrack -E`: events as they happen, until the client goes away. A client that does not read loses events, and is told how
// many; neither packets nor other clients wait for it.

import type { TakenEvent } from '../events.ts'
import * as event from '../events.ts'
import { type FlowEntry, readEvent } from './entry.ts'
import { BANNER } from './fault.ts'
import type { Filter } from './filter.ts'
import { type EventFields, formatEntry, type LineOptions } from './line.ts'
import { Printer } from './print.ts'
import type { Request } from './request.ts'
import type { Client, FlowSource } from './run.ts'
import { formatSaved } from './save-form.ts'
import { formatXml } from './xml.ts'

/** Bytes that a client may leave unread before it loses events. */
export const UNREAD_MAX = 1 << 20

export async function watch(request: Request, filter: Filter, source: FlowSource, client: Client): Promise<number> {
  const { output, events } = request
  const printer = new Printer(output, request.labelNames, client, 'conntrack')
  let shown = 0
  let lost = 0
  const stop = source.listen(
    (taken) => {
      if (taken.expectation !== undefined) return
      const fields = eventFields(taken)
      if (!events[fields.kind]) return
      const entry = readEvent(taken, source.reading())
      if (!filter(entry)) return
      if (client.unread > UNREAD_MAX) {
        lost++
        return
      }
      if (lost > 0) client.printError(told(lost))
      lost = 0
      shown++
      printer.line(lineOf(entry, taken, fields, request, printer.options))
      printer.flush()
    },
    (count) => client.printError(told(count)),
  )
  await new Promise<void>((resolve) => client.onGone(resolve))
  stop()
  printer.end()
  client.printError(`${BANNER}: ${shown} flow events have been shown.\n`)
  return 0
}

export function told(count: number): string {
  return `WARNING: ${count} events were lost: they came faster than they were read.\n`
}

/** What kind of event it is, and what it tells. */
export function eventFields({ bits }: TakenEvent): EventFields {
  const kind = (bits & event.DESTROY) !== 0 ? 'destroy' : (bits & (event.NEW | event.RELATED)) !== 0 ? 'new' : 'update'
  return { kind, state: kind === 'destroy' || (bits & event.PROTOINFO) !== 0, mark: (bits & event.MARK) !== 0 }
}

const TYPES = { new: '[NEW]', update: '[UPDATE]', destroy: '[DESTROY]' } as const

function lineOf(
  entry: FlowEntry,
  { wall, port }: TakenEvent,
  fields: EventFields,
  { output }: Request,
  options: LineOptions,
): string {
  const by = port === 0 ? '' : ` [USERSPACE] portid=${port} progname=conntrack`
  if (output.xml) return formatXml(entry, options, fields, output.timestamp ? new Date(wall) : undefined) + by
  if (output.save) return formatSaved(entry, fields) + by
  const seconds = Math.floor(wall / 1000)
  const micros = String(Math.floor((wall - seconds * 1000) * 1000)).padStart(6, '0')
  const when = output.timestamp ? `[${seconds}.${micros}]\t` : ''
  return `${when}${TYPES[fields.kind].padStart(9)} ${formatEntry(entry, options, fields)}${by}`
}
