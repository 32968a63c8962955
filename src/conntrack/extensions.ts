// What only some flows have, in arrays beside the records, each made when it is first needed: until then a flow costs neither
// memory nor time for it. Linux calls these a conntrack's extensions. Each array that the control side reads too is shared, and
// `grown` says that a new one is there.
//
// What always holds: a record that is allocated has none of it, whatever the flow had that was there before; and a flow that
// is older than an array has nothing in it (no counts, no labels), as on Linux.

/** Per direction packets, then bytes: original packets, original bytes, reply packets, reply bytes. */
export const ACCOUNT_WORDS = 4
/** Four words of labels, bit 0 of the first word being label 0, and 1 where the flow has labels at all. */
export const LABEL_WORDS = 5
export const LABEL_BITS = 128
const HAS_LABELS = 4
/** Start and stop, in milliseconds since the epoch; 0 for "not yet" and "unknown". */
export const STAMP_WORDS = 2
/** Of one direction, and of both: what sequence numbers are moved by (seqadj.ts). */
export const DIRECTION_ADJUSTMENT_WORDS = 3
export const ADJUSTMENT_WORDS = 6
/** Of a flow that target SYNPROXY opened: PROXIED, COOKIE, ECHO, STAMP_OFFSET. */
export const PROXY_WORDS = 4
/** POLICY, HELPER_ID, EVENT_MASK, PENDING, MASTER, RELATIVES. */
export const EXTRA_WORDS = 6

// Places in a flow's extras.
/** Number of the timeout policy, 0 for the sysctls. */
export const POLICY = 0
/** Number of the connection helper, 0 for none. */
export const HELPER_ID = 1
/** Bits 1 << event that are told, 0 for none; in the upper half word those of expectations. */
export const EVENT_MASK = 2
/** Events that happened since the last one was told. */
export const PENDING = 3
/** Record + 1 of the flow that announced this one, 0 for none. */
export const MASTER = 4
/** How many flows there are that this one announced: they hold its record, also when it is over. */
export const RELATIVES = 5

// Places in the words of a flow that target SYNPROXY opened (local/synproxy.ts).
/** 1 for such a flow, 0 for others. */
export const PROXIED = 0
/** The sequence number with which the client was answered. */
export const COOKIE = 1
/** The router's time stamp as the client sent it back. */
export const ECHO = 2
/** How much the server's time stamps are ahead of the router's. */
export const STAMP_OFFSET = 3

/** The arrays as they cross to another thread. */
export interface SharedExtensions {
  readonly accounts: Float64Array<SharedArrayBuffer> | undefined
  readonly stamps: Float64Array<SharedArrayBuffer> | undefined
  readonly labels: Int32Array<SharedArrayBuffer> | undefined
  readonly extras: Int32Array<SharedArrayBuffer> | undefined
}

export class Extensions implements SharedExtensions {
  accounts: Float64Array<SharedArrayBuffer> | undefined
  stamps: Float64Array<SharedArrayBuffer> | undefined
  labels: Int32Array<SharedArrayBuffer> | undefined
  extras: Int32Array<SharedArrayBuffer> | undefined
  /** ADJUSTMENT_WORDS a flow, which the packet path alone looks at. */
  adjustments: Int32Array | undefined
  /** PROXY_WORDS a flow, likewise. */
  proxied: Int32Array | undefined
  /** Whether there is any. */
  any = false
  /** Called when there is a new array. */
  grown: (() => void) | undefined
  readonly #max: number

  /** @param max flows that there is room for */
  constructor(max: number) {
    this.#max = max
  }

  /** Takes over the arrays of another thread's table. */
  adopt({ accounts, stamps, labels, extras }: SharedExtensions): void {
    this.accounts = accounts
    this.stamps = stamps
    this.labels = labels
    this.extras = extras
  }

  /** From now on packets and bytes are counted; the `used` records that there may be are not accounted. */
  account(used: number): Float64Array {
    if (this.accounts === undefined) {
      this.accounts = new Float64Array(new SharedArrayBuffer(this.#max * ACCOUNT_WORDS * 8))
      this.accounts.fill(Number.NaN, 0, used * ACCOUNT_WORDS)
      this.#grow()
    }
    return this.accounts
  }

  stamp(): void {
    if (this.stamps !== undefined) return
    this.stamps = new Float64Array(new SharedArrayBuffer(this.#max * STAMP_WORDS * 8))
    this.#grow()
  }

  /** From now on new flows have labels. */
  label(): void {
    if (this.labels !== undefined) return
    this.labels = new Int32Array(new SharedArrayBuffer(this.#max * LABEL_WORDS * 4))
    this.#grow()
  }

  extra(): Int32Array {
    if (this.extras === undefined) {
      this.extras = new Int32Array(new SharedArrayBuffer(this.#max * EXTRA_WORDS * 4))
      this.#grow()
    }
    return this.extras
  }

  /** From now on flows may have their sequence numbers adjusted. */
  adjust(): Int32Array {
    if (this.adjustments === undefined) {
      this.adjustments = new Int32Array(this.#max * ADJUSTMENT_WORDS)
      this.any = true
    }
    return this.adjustments
  }

  /** From now on flows may be such as target SYNPROXY opens. */
  proxy(): Int32Array {
    if (this.proxied === undefined) {
      this.proxied = new Int32Array(this.#max * PROXY_WORDS)
      this.any = true
    }
    return this.proxied
  }

  #grow(): void {
    this.any = true
    this.grown?.()
  }

  /** A new flow: counts from 0, no labels set, nothing else. */
  clear(ct: number): void {
    this.accounts?.fill(0, ct * ACCOUNT_WORDS, (ct + 1) * ACCOUNT_WORDS)
    this.stamps?.fill(0, ct * STAMP_WORDS, (ct + 1) * STAMP_WORDS)
    this.extras?.fill(0, ct * EXTRA_WORDS, (ct + 1) * EXTRA_WORDS)
    this.proxied?.fill(0, ct * PROXY_WORDS, (ct + 1) * PROXY_WORDS)
    this.adjustments?.fill(0, ct * ADJUSTMENT_WORDS, (ct + 1) * ADJUSTMENT_WORDS)
    if (this.labels !== undefined) {
      this.labels.fill(0, ct * LABEL_WORDS, (ct + 1) * LABEL_WORDS)
      this.labels[ct * LABEL_WORDS + HAS_LABELS] = 1
    }
  }

  // ── what a flow has ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Packets of one direction; NaN where the flow is not accounted. */
  packets(ct: number, direction: number): number {
    return this.accounts === undefined ? Number.NaN : this.accounts[ct * ACCOUNT_WORDS + 2 * direction]
  }

  /** Bytes of one direction, IP headers included; NaN where the flow is not accounted. */
  bytes(ct: number, direction: number): number {
    return this.accounts === undefined ? Number.NaN : this.accounts[ct * ACCOUNT_WORDS + 2 * direction + 1]
  }

  /** Whether the flow can carry labels: it began after a rule first asked for them. */
  hasLabels(ct: number): boolean {
    return this.labels !== undefined && this.labels[ct * LABEL_WORDS + HAS_LABELS] !== 0
  }

  /** @param bit 0 to 127 */
  labelled(ct: number, bit: number): boolean {
    return this.labels !== undefined && ((this.labels[ct * LABEL_WORDS + (bit >> 5)] >>> (bit & 31)) & 1) !== 0
  }

  /** One of the flow's extras by its place above; 0 where there are none. */
  extraOf(ct: number, place: number): number {
    return this.extras === undefined ? 0 : this.extras[ct * EXTRA_WORDS + place]
  }
}
