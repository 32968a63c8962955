// Target IDLETIMER (xt_IDLETIMER): a timer by name that every matching packet sets anew; rules that name the same timer share it. It
// runs from when it is first named, lives for as long as a rule names it, and keeps its state over changes of rules. Linux shows
// it under /sys/class/xt_idletimer; here the engine tells what is left of it, and whoever listens when it has run out.

import { CONTINUE, defineTarget, NotTaken } from '../rule/define.ts'
import { bareName, flag, Problem, shown, u32 } from '../rule/option.ts'
import type { Shared } from '../rule/shared.ts'
import type { Time } from '../time.ts'

/** Kind under which timers are shared. */
const IDLE_TIMERS = 'IDLETIMER'

/** Seconds whose milliseconds fit into an int32. */
const TIMEOUT_MAX = 2147482
const LABEL_MAX = 27
/** Files that Linux has where it shows its timers. */
const TAKEN = ['power', 'subsystem', 'uevent']
const EXPECTS = `a name of 1 to ${LABEL_MAX} bytes, without /, and none of ${TAKEN.join(', ')}`

const label = bareName(EXPECTS, (text) =>
  text === '' || TAKEN.includes(text) || text.includes('/')
    ? new Problem(`${shown(text)} can be no timer's name: expected ${EXPECTS}`, 0, 'tables')
    : Buffer.from(text).toString('utf8', 0, LABEL_MAX),
)

export class IdleTimer {
  readonly label: string
  readonly #time: Time
  #end = 0
  /** It ran out, and nobody was told of it yet. */
  #untold = true

  constructor(label: string, time: Time, seconds: number) {
    this.label = label
    this.#time = time
    this.restart(seconds)
  }

  restart(seconds: number): void {
    this.#end = this.#time.wall + seconds * 1000
    this.#untold = true
  }

  /** Milliseconds that are left, 0 when it has run out. */
  get left(): number {
    return Math.max(0, this.#end - this.#time.wall)
  }

  /** True once each time that it runs out. */
  hasRunOut(): boolean {
    if (!this.#untold || this.left > 0) return false
    this.#untold = false
    return true
  }
}

/** The timers that rules name, and who is told when one has run out. */
export class IdleTimers {
  readonly #shared: Shared
  readonly #listeners = new Set<(label: string) => void>()

  constructor(shared: Shared) {
    this.#shared = shared
  }

  /** Seconds that each has left, rounded up, by its label. */
  left(): ReadonlyMap<string, number> {
    const timers = this.#shared.all<IdleTimer>(IDLE_TIMERS)
    return new Map(timers.map(({ label, left }) => [label, Math.ceil(left / 1000)]))
  }

  /** Gives a function that ends it. */
  listen(listener: (label: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  tick(): void {
    if (this.#listeners.size === 0) return
    for (const timer of this.#shared.all<IdleTimer>(IDLE_TIMERS))
      if (timer.hasRunOut()) for (const listener of this.#listeners) listener(timer.label)
  }
}

export const idletimer = defineTarget({
  name: 'IDLETIMER',
  summary: 'sets a named timer anew; who listens is told when it has run out',
  terminal: false,
  options: {
    timeout: u32().required().help('seconds without a packet'),
    label: label.required().help("the timer's name"),
    alarm: flag().help('the time counts while the machine is suspended too, as it always does here'),
  },
  check: ({ timeout }) =>
    timeout < 1 || timeout > TIMEOUT_MAX
      ? new NotTaken('tables', `--timeout ${timeout} is out of range: expected 1 to ${TIMEOUT_MAX} seconds`)
      : undefined,
  list: (o) => `timeout:${o.timeout} label:${o.label}${o.alarm ? ' alarm' : ''}`,
  target: ({ timeout, label: name }, { shared, time }) => {
    const timer = shared.of(IDLE_TIMERS, name, () => new IdleTimer(name, time, timeout))
    return () => {
      timer.restart(timeout)
      return CONTINUE
    }
  },
})
