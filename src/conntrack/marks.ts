// What rules write on a flow: its mark (target CONNMARK) and its labels (match connlabel).

import * as event from './events.ts'
import { LABEL_WORDS } from './extensions.ts'
import type { FlowTable } from './flows.ts'
import * as f from './record.ts'
import type { Telling } from './telling.ts'

/** A family's conntrack. */
export interface Marked {
  readonly flows: FlowTable
  readonly telling: Telling
}

/** The flow's mark becomes this, int32 or uint32. */
export function setMark({ flows, telling }: Marked, ct: number, mark: number): void {
  const { words } = flows
  const at = ct * f.WORDS + f.MARK
  if (words[at] === (mark | 0)) return
  words[at] = mark
  if (telling.active) telling.note(ct, event.MARK)
}

/** Sets a label, 0 to 127; false where the flow cannot carry any. */
export function setLabel({ flows, telling }: Marked, ct: number, bit: number): boolean {
  const { extensions } = flows
  if (!extensions.hasLabels(ct)) return false
  const labels = extensions.labels as Int32Array
  const at = ct * LABEL_WORDS + (bit >> 5)
  if ((labels[at] & (1 << (bit & 31))) !== 0) return true
  labels[at] |= 1 << (bit & 31)
  if (telling.active) telling.note(ct, event.LABEL)
  return true
}
