// Opens a gateway's devices and sets up the kernel's ends of them, in whatever namespace those are: without `ip`. A device
// that was there before is attached to; then only what the configuration says is changed, and what is there already stays.

import { type AddressSettings, loadNative, type Native, type NativeError } from '../device/native.ts'
import { TunDevice, type TunIo } from '../device/tun.ts'
import { TunfilterError } from '../errors.ts'
import { isIPv6 } from '../route/prefix6.ts'
import type { GatewayConfig, GatewayDevice, PeerConfig, PeerRoute } from './config.ts'
import { readDestination, readOwn } from './family.ts'

const MTU = 1500
/** Below 500 a burst of one TCP stream overflows the queue, silently. */
const QUEUE_LENGTH = 1000
const RTN_UNICAST = 1
const MAIN_TABLE = 254

export interface OpenedDevices {
  readonly devices: ReadonlyMap<string, TunDevice>
  /** The queues of each device; the first is the one in `devices`. */
  readonly queues: ReadonlyMap<string, readonly TunDevice[]>
  /** The configuration with the devices' MTUs as they are. */
  readonly config: GatewayConfig
  /** One line a device, for the log. */
  readonly notes: readonly string[]
}

/**
 * All devices or none. Throws ERR_DEVICE, which names the device, or ERR_NATIVE_MISSING.
 * @param workers how many queues each device has
 */
export function openDevices(config: GatewayConfig, io: TunIo, workers: number): OpenedDevices {
  const native = loadNative()
  const queues = new Map<string, TunDevice[]>()
  const actual: Record<string, GatewayDevice> = {}
  const notes: string[] = []
  let current = ''
  try {
    for (const [name, device] of Object.entries(config.devices)) {
      current = name
      const { netns, persist, offload } = device
      const options = { name, netns, persist, offload, io, multiQueue: workers > 1 }
      const opened: TunDevice[] = []
      queues.set(name, opened)
      while (opened.length < workers) opened.push(new TunDevice(options))
      const [{ created, fd }] = opened
      const steered = workers === 1 || steer(native, fd)
      const mtu = setUp(native, name, device, created)
      actual[name] = { ...device, mtu }
      notes.push(`${note(native, name, actual[name], created)}${steered ? '' : ' steered by the kernel'}`)
    }
  } catch (cause) {
    for (const tun of [...queues.values()].flat()) tun.close()
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause
    const differs = workers > 1 && cause.syscall === 'TUNSETIFF' && (cause as NativeError).code === 'EINVAL'
    const hint = differs ? `; --workers ${workers} needs a device of several queues (ip tuntap add multi_queue)` : ''
    throw new TunfilterError('ERR_DEVICE', `device ${current}: ${cause.message}${hint}`, { cause })
  }
  const devices = new Map([...queues].map(([name, [first]]) => [name, first]))
  return { devices, queues, config: { ...config, devices: actual }, notes }
}

/** A flow's packets come by one queue for good; false where the kernel does not let us say so, and moves flows itself. */
function steer(native: Native, fd: number): boolean {
  try {
    native.steerQueues(fd)
    return true
  } catch (error) {
    if (['EPERM', 'EACCES', 'ENOSYS', 'EINVAL', 'ENOTTY'].includes((error as NativeError).code)) return false
    throw error
  }
}

/** Sets up the kernel's end; returns the device's MTU. */
function setUp(native: Native, name: string, device: GatewayDevice, created: boolean): number {
  const { netns, peer } = device
  const found = native.listLinks(netns).find((link) => link.name === name)
  if (created) {
    quiet(native, netns, name)
    native.setLink(netns, { name, txQueueLength: device.queueLength ?? QUEUE_LENGTH })
  } else if (device.queueLength !== undefined) {
    native.setLink(netns, { name, txQueueLength: device.queueLength })
  }
  const mtu = device.mtu ?? (created ? MTU : (found?.mtu ?? MTU))
  if (mtu !== found?.mtu) native.setLink(netns, { name, mtu })
  if (created || peer !== undefined) native.setLink(netns, { name, up: true })
  if (peer !== undefined) setUpPeer(native, name, device, peer)
  return mtu
}

function setUpPeer(native: Native, name: string, { netns, addresses }: GatewayDevice, peer: PeerConfig): void {
  for (const text of peer.addresses ?? []) {
    try {
      native.addAddress(netns, addressSettings(name, text))
    } catch (error) {
      if ((error as NativeError).code !== 'EEXIST') throw error
    }
  }
  for (const route of peer.routes ?? []) {
    const via = route.via ?? ownAddress(addresses, route)
    const settings = { destination: route.to, via, dev: name, source: route.src, mtu: route.mtu, metric: route.metric }
    try {
      native.addRoute(netns, settings)
    } catch (error) {
      if ((error as NativeError).code !== 'EEXIST' || !hasRoute(native, netns, name, route.to, via)) throw error
    }
  }
}

/** Whether that route is there already, by this device. */
function hasRoute(
  native: Native,
  netns: string | undefined,
  name: string,
  to: string,
  via: string | undefined,
): boolean {
  const destination = readDestination(to, via !== undefined && isIPv6(via) ? 6 : 4)
  return native
    .listRoutes(netns)
    .some(
      (r) =>
        r.table === MAIN_TABLE &&
        r.type === RTN_UNICAST &&
        r.destination === destination &&
        r.dev === name &&
        r.via === via,
    )
}

/** Of itself the kernel would send IPv6 router solicitations into a device that is up; not every kernel has IPv6. */
function quiet(native: Native, netns: string | undefined, name: string): void {
  try {
    native.writeSysctl(netns, `net/ipv6/conf/${name}/addr_gen_mode`, '1')
  } catch (error) {
    if (!['ENOENT', 'EACCES', 'EROFS', 'EPERM'].includes((error as NativeError).code)) throw error
  }
}

/** The router's first address on the device, of the route's family; of any for a default route that says none. */
function ownAddress(addresses: readonly string[] | undefined, { to, src }: PeerRoute): string | undefined {
  const said = [to, src].filter((text) => text !== undefined && text !== 'default') as string[]
  const own = (addresses ?? []).flatMap((text) => readOwn(text) ?? [])
  if (said.length === 0) return own[0]?.address
  return own.find(({ family }) => family === (said.some(isIPv6) ? 6 : 4))?.address
}

function addressSettings(name: string, text: string): AddressSettings {
  const { address, prefixLength, peer } = readOwn(text)!
  return { name, address, prefixLength, ...(peer === undefined ? {} : { peer }) }
}

function note(native: Native, name: string, device: GatewayDevice, created: boolean): string {
  const link = native.listLinks(device.netns).find((found) => found.name === name)
  const words = [
    name,
    ...(device.addresses ?? []),
    `mtu ${device.mtu}`,
    ...(device.netns === undefined ? [] : [`netns ${device.netns}`]),
    ...(device.peer?.addresses?.length ? [`peer ${device.peer.addresses.join(' ')}`] : []),
    ...(device.offload === false ? ['offload off'] : []),
    ...(created ? [] : ['attached']),
    ...(link?.up === true ? [] : ['down']),
  ]
  return words.join(' ')
}
