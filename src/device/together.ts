// Waiting for many TUN devices at once, all of them read by io_uring: one call a round looks at every ring and sleeps where nothing has
// come in, and the devices know from shared words what they have. Asking each device, and each again before sleeping, took five calls
// more for a packet that came alone, and a round that found nothing.

import { loadNative, type Native, type RingWait } from './native.ts'
import { TunDevice } from './tun.ts'

export class Together {
  readonly #native: Native
  readonly #wait: RingWait

  private constructor(native: Native, wait: RingWait) {
    this.#native = native
    this.#wait = wait
  }

  /** Undefined where not all have a ring. @param eventFd ends a wait */
  static of(devices: readonly unknown[], eventFd: number): Together | undefined {
    const all = devices.filter((device) => device instanceof TunDevice)
    const rings = all.flatMap(({ ring }) => ring ?? [])
    if (rings.length === 0 || rings.length !== devices.length || rings.length > RINGS_MAX) return undefined
    const native = loadNative()
    const waiting = new Int32Array(rings.length)
    for (const [place, device] of all.entries()) device.waitTogether(waiting, place)
    return new Together(native, native.openWait(rings, waiting, eventFd))
  }

  /**
   * Until something comes in, but no longer than this; what there is by then is known to the devices.
   * @param spin microseconds for which it looks again and again before it sleeps
   */
  wait(milliseconds: number, spin = 0): void {
    this.#native.waitForRings(this.#wait, milliseconds, spin)
  }
}

/** More are waited for one by one. */
const RINGS_MAX = 256
