// The members of a hash set one by one, as they are listed: in the table's order, or sorted by address, prefix length (longer
// first) and port.

import type { DeviceNames } from './device-names.ts'
import { formatMark } from './element.ts'
import type { HashSet } from './hash-set.ts'
import { formatPort, hasPorts } from './port.ts'
import type { Listed } from './set.ts'
import { NOMATCH, PHYSDEV, type Segment, WILDCARD } from './table.ts'
import { formatEther, formatIp } from './words.ts'

export function* listHash(set: HashSet, sorted: boolean): Generator<Listed> {
  const listed: Listed = { text: '', nomatch: false, wildcard: false, timeout: 0, extensions: undefined, place: 0 }
  if (sorted) for (const [segment, slot] of inOrder(set)) yield fill(listed, set, set.devices, segment, slot)
  else {
    const devices = set.devices?.clone()
    const { table } = set
    for (const segment of table.segments()) {
      // A copy: members may move, come and go before the next one is asked for.
      const copy = segment.clone()
      for (let slot = 0; slot <= copy.mask; slot++)
        if (copy.taken(slot, table.stride) && !copy.extensions?.hasEnded(slot, set.surroundings.time.now))
          yield fill(listed, set, devices, copy, slot)
    }
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

/** All at once: what is sorted cannot be begun before all of it is there. */
function inOrder(set: HashSet): [Segment, number][] {
  const all: [Segment, number][] = []
  for (const segment of set.table.segments())
    for (let slot = 0; slot <= segment.mask; slot++)
      if (segment.taken(slot, set.table.stride)) all.push([segment, slot])
  const { layout, devices } = set
  const { stride } = set.table
  const size = layout.family === 4 ? 1 : 4
  return all.sort(([a, i], [b, j]) => {
    let nets = 0
    const metas = [a.words[i * stride + stride - 1], b.words[j * stride + stride - 1]]
    for (const [part, offset] of layout.offsets.entries()) {
      const [x, y] = [i * stride + offset, j * stride + offset]
      let difference = 0
      const kind = layout.parts[part]
      if (kind === 'ip' || kind === 'net')
        for (let word = 0; word < size && difference === 0; word++)
          difference = (a.words[x + word] >>> 0) - (b.words[y + word] >>> 0)
      else if (kind === 'port') difference = portOrder(a.words[x]) - portOrder(b.words[y])
      else if (kind === 'iface')
        difference =
          (devices?.name(a.words[x]) ?? '') < (devices?.name(b.words[y]) ?? '') ? -1 : a.words[x] - b.words[y]
      else difference = (a.words[x] >>> 0) - (b.words[y] >>> 0) || (a.words[x + 1] >>> 0) - (b.words[y + 1] >>> 0)
      if (difference === 0 && kind === 'net') {
        const shift = 8 * nets++
        difference = ((metas[1] >>> shift) & 0xff) - ((metas[0] >>> shift) & 0xff)
      }
      if (difference !== 0) return difference
    }
    return metas[0] - metas[1]
  })
}

/** Protocols without ports stand first. */
function portOrder(word: number): number {
  return hasPorts(word >>> 16) ? word : word - 2 ** 24
}
