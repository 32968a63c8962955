// What a conntrack command sets in flows, and whether that changes one.

import * as ip from '../../wire/ipv4.ts'
import type { FlowSettings } from '../flow-change.ts'
import * as f from '../record.ts'
import type { FlowEntry } from './entry.ts'
import type { Request } from './request.ts'

/** What the command sets. */
export function settings({ values, protocol, command }: Request): FlowSettings {
  const { timeout, mark, status, state } = values
  const creates = command === 'I' || command === 'A'
  const tags = [values['orig-vtag'] ?? 0, values['reply-vtag'] ?? 0] as const
  const nat = creates
    ? (values['src-nat'] === undefined ? 0 : f.SRC_NAT | f.SRC_NAT_DONE) |
      (values['dst-nat'] === undefined ? 0 : f.DST_NAT | f.DST_NAT_DONE)
    : 0
  const deleted = values['label-del']
  return {
    timeout,
    mark: mark === undefined ? undefined : { value: mark.value, mask: creates ? -1 : (mark.mask ?? -1) },
    status: status === undefined && nat === 0 ? undefined : (status ?? 0) | nat,
    state,
    tags: protocol === ip.PROTO_SCTP && creates ? tags : undefined,
    addLabels: values['label-add'],
    deleteLabels: deleted === undefined ? undefined : deleted.length === 0 ? 'all' : deleted,
  }
}

/** Whether the flow would be another afterwards; one that would not is neither asked for nor counted. */
export function changes(entry: FlowEntry, set: FlowSettings): boolean {
  const { timeout, mark, status, state, addLabels, deleteLabels } = set
  if (timeout !== undefined && timeout !== entry.seconds) return true
  if (mark !== undefined && ((entry.mark & ~mark.mask) ^ mark.value) !== (entry.mark | 0)) return true
  if (status !== undefined && (status & ~entry.status) !== 0) return true
  if (state !== undefined && entry.protocol === ip.PROTO_TCP && state !== entry.stateNumber) return true
  const has = (bit: number) => entry.labels !== undefined && ((entry.labels[bit >> 5] >>> (bit & 31)) & 1) !== 0
  if (addLabels?.some((bit) => !has(bit)) === true) return true
  if (deleteLabels === 'all') return entry.labels?.some((word) => word !== 0) === true
  return deleteLabels?.some(has) === true
}
