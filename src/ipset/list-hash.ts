// The members of a hash set one by one, as they are listed: in the table's order, or sorted by address, prefix length (longer
// first) and port.

import type { DeviceNames } from './device-names.ts'
import { formatMark } from './element.ts'
import { Extensions } from './extensions.ts'
import type { HashSet } from './hash-set.ts'
import type { KeyLayout } from './key-layout.ts'
import { formatPort, hasPorts } from './port.ts'
import { NOMATCH, PHYSDEV, WILDCARD } from './records.ts'
import type { Listed, MembersOptions } from './set.ts'
import { ALL_HASHES, type MemberTable, type Piece } from './table.ts'
import { formatEther, formatIp } from './words.ts'

/** Undefined now and then: nothing yet, so that who lists can do other things. */
export function* listHash(set: HashSet, { sorted, nameOf }: MembersOptions): Generator<Listed | undefined> {
  const listed: Listed = { text: '', nomatch: false, wildcard: false, timeout: 0, extensions: undefined, place: 0 }
  const devices = set.devices?.clone()
  const { table, surroundings } = set
  const writing = { set, devices, nameOf }
  for (const found of sorted ? inOrder(writing) : inTable(table)) {
    if (found === undefined) yield undefined
    else if (!found.extensions?.hasEnded(found.place, surroundings.time.now)) yield fill(listed, writing, found)
  }
}

/** What it takes to write members. */
interface Writing {
  readonly set: HashSet
  readonly devices: DeviceNames | undefined
  readonly nameOf: MembersOptions['nameOf']
}

/** A copy of some members: in the table they may move, come and go before the next one is asked for. */
class Run {
  readonly words: Int32Array
  readonly extensions: Extensions | undefined
  /** Its members in their order. */
  places: readonly number[]
  /** What is written for each place, where that is what they are sorted by. */
  texts: readonly string[] = []
  /** The next one, of `places`. */
  #at = 0

  constructor(table: MemberTable, { records, slots }: Piece) {
    const { stride, keyWords, kinds } = table.form
    const words = new Int32Array(slots.length * stride)
    this.words = words
    this.places = slots.map((_, i) => i)
    if (kinds !== 0) this.extensions = new Extensions(kinds, { words, stride, first: keyWords + 1 })
    for (const [i, slot] of slots.entries()) {
      words.set(records.words.subarray(slot * stride, (slot + 1) * stride), i * stride)
      this.extensions?.comments?.set(i, records.extensions?.comments?.get(slot))
    }
  }

  get place(): number {
    return this.places[this.#at]
  }

  /** False where there is no next one. */
  next(): boolean {
    return ++this.#at < this.places.length
  }
}

function* runs(table: MemberTable): Generator<Run> {
  for (let from = 0; from < ALL_HASHES; ) {
    const piece = table.piece(from)
    from = piece.next
    if (piece.slots.length > 0) yield new Run(table, piece)
  }
}

function* inTable(table: MemberTable): Generator<Run | undefined> {
  for (const run of runs(table)) {
    do yield run
    while (run.next())
  }
}

/** The members of each run in order, one run after the other; then the first of all runs, again and again. */
function* inOrder(writing: Writing): Generator<Run | undefined> {
  const { set, devices, nameOf } = writing
  const { table, layout } = set
  const order = new Order(layout, table.form.stride, devices)
  const heap: Run[] = []
  const byParts = (a: Run, b: Run) => order.compare(a.words, a.place, b.words, b.place) < 0
  const byTexts = (a: Run, b: Run) => a.texts[a.place] < b.texts[b.place]
  const isBefore = nameOf === undefined ? byParts : byTexts
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
  for (const run of runs(table)) {
    const { words } = run
    if (nameOf !== undefined) {
      const texts = run.places.map((place) => formatMember(writing, run, place))
      run.texts = texts
      run.places = run.places.toSorted((a, b) => (texts[a] < texts[b] ? -1 : texts[a] > texts[b] ? 1 : 0))
    } else run.places = run.places.toSorted((a, b) => order.compare(words, a, words, b))
    heap.push(run)
    yield undefined
  }
  for (let i = (heap.length >>> 1) - 1; i >= 0; i--) sink(i)
  while (heap.length > 0) {
    const [run] = heap
    yield run
    if (!run.next()) {
      const last = heap.pop() as Run
      if (heap.length > 0) heap[0] = last
    }
    sink(0)
  }
}

function fill(listed: Listed, writing: Writing, run: Run): Listed {
  const { set } = writing
  const { stride, keyWords } = set.table.form
  const { words, extensions, place } = run
  const meta = words[place * stride + keyWords]
  listed.text = formatMember(writing, run, place)
  listed.nomatch = (meta & NOMATCH) !== 0
  listed.wildcard = (meta & WILDCARD) !== 0
  listed.timeout = extensions?.secondsLeft(place, set.surroundings.time.now) ?? 0
  listed.extensions = extensions
  listed.place = place
  return listed
}

function formatMember({ set, devices, nameOf }: Writing, { words }: Run, place: number): string {
  const { layout, surroundings } = set
  const { stride, keyWords } = set.table.form
  const base = place * stride
  const meta = words[base + keyWords]
  const written = (at: number) => {
    const address = formatIp(words, at, layout.family)
    return nameOf?.(address) ?? address
  }
  let text = ''
  let nets = 0
  for (let i = 0; i < layout.parts.length; i++) {
    const at = base + layout.offsets[i]
    if (i > 0) text += ','
    switch (layout.parts[i]) {
      case 'ip':
        text += written(at)
        break
      case 'net': {
        const length = (meta >>> (8 * nets++)) & 0xff
        text += written(at)
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
    const { words } = this.#layout
    const [metaA, metaB] = [a[i * this.#stride + words], b[j * this.#stride + words]]
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
