// A gateway's configuration file: YAML (and so JSON) into plain data. Either all of it is right, or the file is refused
// with every mistake that is in it, each with line and column. `replay` reads the same files as `up`: what only a real
// device needs (netns, peer, ...) is checked there too, and not used.

import { readFileSync } from 'node:fs'
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import type { DeviceConfig, RouterConfig } from '../config.ts'
import { type Complaint, RefusedError, TunfilterError } from '../errors.ts'
import { check, type Path } from './checks.ts'
import { suggestion } from './nearest.ts'
import { gatewaySchema, keysAt } from './schema.ts'

export interface GatewayConfig extends RouterConfig {
  readonly devices: Readonly<Record<string, GatewayDevice>>
  /** Threads that read and write packets, each its queue of every device; 1 when left out. */
  readonly workers?: number
}

/** A device as `up` opens it. The kernel's end of a TUN device is what the gateway's clients and servers see of it. */
export interface GatewayDevice extends DeviceConfig {
  /** `tun` when left out. */
  readonly kind?: 'tun'
  /** Where the kernel's end is: a name (ip netns) or a path; the gateway's own namespace when left out. */
  readonly netns?: string
  /** true: the device stays when the gateway ends. */
  readonly persist?: boolean
  /**
   * false: the kernel hands over packets of at most the MTU with whole checksums, and is given such. Otherwise large ones cross
   * the gateway as one, and the device that they leave by, or the receiver, does the rest.
   */
  readonly offload?: boolean
  /** Packets that may wait in the kernel for the gateway; 1000 when left out. */
  readonly queueLength?: number
  /** What the kernel's end is set to. Left out, a device that was there before stays as it is. */
  readonly peer?: PeerConfig
}

export interface PeerConfig {
  readonly addresses?: readonly string[]
  /** Through the router's first address of that family on this device, where no `via` is given. */
  readonly routes?: readonly PeerRoute[]
}

export interface PeerRoute {
  readonly to: string
  readonly via?: string
  readonly src?: string
  readonly mtu?: number
  readonly metric?: number
}

/** Reads a configuration file. Throws RefusedError (ERR_CONFIG), or ERR_CONFIG_FILE where there is none to read. */
export function readConfig(file: string): GatewayConfig {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new TunfilterError('ERR_CONFIG_FILE', `${file}: ${(cause as Error).message}`, { cause })
  }
  return parseConfig(text, file)
}

/** @param file its name, for messages */
export function parseConfig(text: string, file: string): GatewayConfig {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const complaints: Complaint[] = []
  const complainAt = (offset: number, message: string) => {
    const { line, col } = lines.linePos(offset)
    complaints.push({ file, line: Math.max(1, line), column: Math.max(1, col), message })
  }
  for (const error of document.errors) complainAt(error.pos[0], error.message)
  // The rest of a file that is no YAML cannot be trusted to mean what it seems to.
  if (complaints.length > 0) throw new RefusedError('ERR_CONFIG', complaints)

  const root = document.contents
  const complain = (path: Path, message: string, atKey = false) => complainAt(offsetOf(root, path, atKey), message)
  const data: unknown = plain(document, complain)
  const result = gatewaySchema.safeParse(data)
  for (const issue of result.error?.issues ?? []) {
    const path = issue.path as Path
    if (issue.code === 'unrecognized_keys') {
      const where = path.length > 0 ? ` in ${nameOf(path)}` : ''
      for (const key of issue.keys)
        complain([...path, key], `unknown key '${key}'${where}${suggestion(key, keysAt(path))}`, true)
    } else {
      const value = valueAt(data, path)
      const found = value === undefined ? 'found nothing' : `not ${JSON.stringify(value)}`
      complain(path, `${nameOf(path)}: expected ${issue.message}, ${found}`)
    }
  }
  check(data, complain)
  if (complaints.length > 0 || result.data === undefined) {
    complaints.sort((a, b) => a.line - b.line || a.column - b.column)
    throw new RefusedError('ERR_CONFIG', complaints)
  }
  return result.data

  function offsetOf(node: unknown, path: Path, atKey: boolean): number {
    let at = node
    let offset = (at as Node | null)?.range?.[0] ?? 0
    for (const [i, step] of path.entries()) {
      if (isAlias(at)) at = at.resolve(document)
      if (isMap(at)) {
        const pair = at.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
        if (pair === undefined) return offset
        const last = i === path.length - 1
        const chosen = (atKey && last) || !hasRange(pair.value) ? pair.key : pair.value
        offset = (chosen as Node).range?.[0] ?? offset
        at = pair.value
      } else if (isSeq(at) && at.items[Number(step)] !== undefined) {
        at = at.items[Number(step)]
        offset = (at as Node).range?.[0] ?? offset
      } else {
        return offset
      }
    }
    return offset
  }
}

function hasRange(node: unknown): boolean {
  const range = (node as Node | null)?.range
  // The node of `key:` without a value is empty and stands behind the line's end.
  return range != null && range[1] > range[0]
}

function plain(document: ReturnType<typeof parseDocument>, complain: (path: Path, message: string) => void): unknown {
  try {
    return document.toJS() as unknown
  } catch (error) {
    complain([], (error as Error).message)
    return undefined
  }
}

/** `devices.tun0.addresses[1]` */
function nameOf(path: Path): string {
  if (path.length === 0) return 'configuration'
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i > 0 ? `.${step}` : step)).join('')
}

function valueAt(data: unknown, path: Path): unknown {
  let value = data
  for (const step of path) {
    // A route that is written as text alone stands for a mapping.
    if (typeof value === 'string') return value
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<string | number, unknown>)[step]
  }
  return value
}
