// The members of a hash set one by one, as they are listed: in the table's order, or sorted by address, prefix length (longer
// first) and port.

import type { DeviceNames } from './device-names.ts'
import { formatMark } from './element.ts'
import type { HashSet } from './hash-set.ts'
import type { KeyLayout } from './key-layout.ts'
import { formatPort, hasPorts } from './port.ts'
import type { Listed } from './set.ts'
import { type MemberTable, NOMATCH, PHYSDEV, type Segment, WILDCARD } from './table.ts'
import { formatEther, formatIp } from './words.ts'

/** Undefined now and then: nothing yet, so that who lists can do other things. */
export function* listHash(set: HashSet, sorted: boolean): Generator<Listed | undefined> {
  const listed: Listed = { text: '', nomatch: false, wildcard: false, timeout: 0, extensions: undefined, place: 0 }
  const devices = set.devices?.clone()
  const { table, surroundings } = set
  for (const found of sorted ? inOrder(set, devices) : inTable(table)) {
    if (found === undefined) yield undefined
    else if (!found.segment.extensions?.hasEnded(found.slot, surroundings.time.now))
      yield fill(listed, set, devices, found.segment, found.slot)
  }
}

/** A run of members in a copy of their segment: in the table they may move, come and go before the next one is asked for. */
interface Run {
  readonly segment: Segment
  readonly slots: readonly number[]
  at: number
  /** Of the member at `at`. */
  slot: number
}

function runOf(segment: Segment, stride: number): Run {
  const copy = segment.clone()
  const slots: number[] = []
  for (let slot = 0; slot <= copy.mask; slot++) if (copy.taken(slot, stride)) slots.push(slot)
  return { segment: copy, slots, at: 0, slot: slots[0] }
}

function* inTable(table: MemberTable): Generator<Run | undefined> {
  for (const segment of table.segments()) {
    if (segment.count === 0) continue
    const run = runOf(segment, table.stride)
    for (const slot of run.slots) {
      run.slot = slot
      yield run
    }
  }
}

/** Each segment's members in order, one segment after the other; then the first of all runs, again and again. */
function* inOrder(set: HashSet, devices: DeviceNames | undefined): Generator<Run | undefined> {
  const { table, layout } = set
  const { stride } = table
  const order = new Order(layout, stride, devices)
  const heap: Run[] = []
  const isBefore = (a: Run, b: Run) => order.compare(a.segment.words, a.slot, b.segment.words, b.slot) < 0
  const sink = (from: number) => {
    for (let i = from; ; ) {
      let least = 2 * i + 1
      if (least >= heap.length) return
      if (least + 1 < heap.length && isBefore(heap[least + 1], heap[least])) least++
      if (!isBefore(heap[least], heap[i])) return
      const run = heap[i]
      heap[i] = heap[least]
      heap[least] = run
      i = least
    }
  }
  for (const segment of table.segments()) {
    if (segment.count === 0) continue
    const run = runOf(segment, stride)
    const { words } = run.segment
    const slots = [...run.slots].sort((a, b) => order.compare(words, a, words, b))
    heap.push({ ...run, slots, slot: slots[0] })
    yield undefined
  }
  for (let i = (heap.length >>> 1) - 1; i >= 0; i--) sink(i)
  while (heap.length > 0) {
    const [run] = heap
    yield run
    run.at++
    if (run.at < run.slots.length) run.slot = run.slots[run.at]
    else {
      const last = heap.pop() as Run
      if (heap.length > 0) heap[0] = last
    }
    sink(0)
  }
}

function fill(listed: Listed, set: HashSet, devices: DeviceNames | undefined, segment: Segment, slot: number): Listed {
  const { stride } = set.table
  const meta = segment.words[slot * stride + stride - 1]
  listed.text = formatMember(set, devices, segment.words, slot * stride, meta)
  listed.nomatch = (meta & NOMATCH) !== 0
  listed.wildcard = (meta & WILDCARD) !== 0
  listed.timeout = segment.extensions?.secondsLeft(slot, set.surroundings.time.now) ?? 0
  listed.extensions = segment.extensions
  listed.place = slot
  return listed
}

function formatMember(
  { layout, surroundings }: HashSet,
  devices: DeviceNames | undefined,
  words: Int32Array,
  base: number,
  meta: number,
): string {
  let text = ''
  let nets = 0
  for (let i = 0; i < layout.parts.length; i++) {
    const at = base + layout.offsets[i]
    if (i > 0) text += ','
    switch (layout.parts[i]) {
      case 'ip':
        text += formatIp(words, at, layout.family)
        break
      case 'net': {
        const length = (meta >>> (8 * nets++)) & 0xff
        text += formatIp(words, at, layout.family)
        if (length !== layout.host) text += `/${length}`
        break
      }
      case 'port':
        text += formatPort(words[at], surroundings.names)
        break
      case 'iface':
        text += `${(meta & PHYSDEV) !== 0 ? 'physdev:' : ''}${devices?.name(words[at])}`
        break
      case 'mark':
        text += formatMark(words[at])
        break
      default:
        text += formatEther(words[at], words[at + 1])
    }
  }
  return text
}

/** By the parts of a member, one after the other. */
class Order {
  readonly #layout: KeyLayout
  readonly #stride: number
  readonly #devices: DeviceNames | undefined
  readonly #words: number

  constructor(layout: KeyLayout, stride: number, devices: DeviceNames | undefined) {
    this.#layout = layout
    this.#stride = stride
    this.#devices = devices
    this.#words = layout.family === 4 ? 1 : 4
  }

  /** Below 0 where the member at place `i` of `a` stands before that at place `j` of `b`. */
  compare(a: Int32Array, i: number, b: Int32Array, j: number): number {
    const { parts, offsets } = this.#layout
    const last = this.#stride - 1
    const [metaA, metaB] = [a[i * this.#stride + last], b[j * this.#stride + last]]
    let shift = 0
    for (let part = 0; part < parts.length; part++) {
      const kind = parts[part]
      const x = i * this.#stride + offsets[part]
      const y = j * this.#stride + offsets[part]
      let difference = 0
      if (kind === 'ip' || kind === 'net')
        for (let word = 0; word < this.#words && difference === 0; word++)
          difference = (a[x + word] >>> 0) - (b[y + word] >>> 0)
      else if (kind === 'port') difference = portOrder(a[x]) - portOrder(b[y])
      else if (kind === 'iface') difference = this.#compareDevices(a[x], b[y])
      else if (kind === 'mark') difference = (a[x] >>> 0) - (b[y] >>> 0)
      else difference = (a[x] >>> 0) - (b[y] >>> 0) || (a[x + 1] >>> 0) - (b[y + 1] >>> 0)
      if (difference === 0 && kind === 'net') {
        difference = ((metaB >>> shift) & 0xff) - ((metaA >>> shift) & 0xff)
        shift += 8
      }
      if (difference !== 0) return difference
    }
    return metaA - metaB
  }

  #compareDevices(a: number, b: number): number {
    const [one, other] = [this.#devices?.name(a) ?? '', this.#devices?.name(b) ?? '']
    return one < other ? -1 : one > other ? 1 : 0
  }
}

/** Protocols without ports stand first. */
function portOrder(word: number): number {
  return hasPorts(word >>> 16) ? word : word - 2 ** 24
}
