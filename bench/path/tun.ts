// The gateway as its users run it, through TUN devices, beside a bare C forwarder with the same I/O and the kernel's own forwarding with
// the same rules. They take turns within every round, because the machine's speed drifts by more than what is to be seen.

import { existsSync } from 'node:fs'
import { type Figure, figure, median, quantile, type Result, round, say, type Target } from '../figure.ts'
import { ROOT } from '../root.ts'
import { type Gateway, inside, missing, SERVER, startInside, WAN_ROUTER, type Way, withLab } from './lab.ts'
import { isInPath, machineTime, run, until } from './programs.ts'

const UDP = `${ROOT}bench/build/udp`
const PORT = '5201'
/** Microseconds that a ping may take while another device is flooded. */
const BYSTANDER_WANTED = 500

interface Lengths {
  readonly rounds: number
  readonly seconds: number
  readonly pings: number
  readonly questions: number
  /** Rates that are tried to find the highest without loss, by halving. */
  readonly halvings: number
  readonly ways: readonly Way[]
}

const WAYS: readonly Way[] = [
  { name: '', io: 'uring', offload: true },
  { name: ', read', io: 'read', offload: true },
  { name: ', no offload', io: 'uring', offload: false },
]

/** One measurement's values, one a round, with what it cost. */
interface Series {
  readonly what: string
  readonly where: string
  readonly unit: string
  readonly who: string
  readonly values: number[]
  readonly also: Record<string, number[]>
}

interface Taken {
  readonly what: string
  readonly where: string
  readonly unit: string
  readonly value: number
  readonly also?: Readonly<Record<string, number>>
}

export async function tun(quick: boolean): Promise<Result> {
  const lacking = missing()
  if (lacking.length > 0) return nothing(`through TUN: not run, because there is no ${lacking.join(', no ')}`)
  if (!existsSync('/dev/net/tun')) return nothing('through TUN: not run, because there is no /dev/net/tun')
  const skipped: string[] = []
  const tcp = isInPath('iperf3')
  if (!tcp) skipped.push('TCP through TUN: not run, because there is no iperf3 (Debian: apt-get install iperf3)')
  const ping = isInPath('ping')
  if (!ping) skipped.push('ping through TUN: not run, because there is no ping (Debian: apt-get install iputils-ping)')
  await run('gcc', '-O2', '-Wall', '-Wextra', '-o', UDP, `${ROOT}bench/peers/udp.c`)
  const native = ['ring', 'batch', 'fail'].map((name) => `${ROOT}native/${name}.c`)
  const forward = `${ROOT}bench/build/forward`
  await run('gcc', '-O2', '-Wall', '-Wextra', '-o', forward, `${ROOT}bench/peers/forward.c`, ...native)

  const lengths: Lengths = quick
    ? { rounds: 1, seconds: 1, pings: 100, questions: 1000, halvings: 4, ways: WAYS.slice(0, 1) }
    : { rounds: 3, seconds: 2, pings: 200, questions: 5000, halvings: 6, ways: WAYS }
  const all = new Map<string, Series>()
  await withLab(lengths.ways, async (gateways) => {
    for (const gateway of gateways) await reach(gateway)
    for (let i = 1; i <= lengths.rounds; i++) {
      for (const gateway of gateways) {
        say(`tun: round ${i} of ${lengths.rounds}, ${gateway.name}`)
        const take = async (taking: Promise<Taken | undefined>) => {
          const taken = await taking
          if (taken !== undefined) note(all, gateway, taken)
        }
        if (tcp) await take(stream(gateway, lengths, false))
        if (tcp) await take(stream(gateway, lengths, true))
        await take(flood(gateway, lengths))
        await take(highest(gateway, lengths))
        await take(paced(gateway, lengths))
        if (ping) await take(bystander(gateway, lengths))
        for (const taken of await questions(gateway, lengths)) note(all, gateway, taken)
        if (ping) for (const taken of await pings(gateway, lengths)) note(all, gateway, taken)
      }
    }
  })
  const figures = [...all.values()].map((series) => {
    const { what, where, unit, who, values } = series
    const also = Object.fromEntries(Object.entries(series.also).map(([name, each]) => [name, round(median(each))]))
    return figure(what, where, unit, values, { who, also })
  })
  return { figures, targets: targets(figures), skipped }
}

function nothing(why: string): Result {
  say(why)
  return { figures: [], targets: [], skipped: [why] }
}

function note(all: Map<string, Series>, { name: who }: Gateway, taken: Taken): void {
  const { what, where, unit, value, also = {} } = taken
  const key = `${what} ${where} ${who}`
  const series = all.get(key) ?? { what, where, unit, who, values: [], also: {} }
  all.set(key, series)
  series.values.push(value)
  for (const [name, each] of Object.entries(also)) {
    series.also[name] ??= []
    series.also[name].push(each)
  }
  say(`  ${what}, ${where}: ${round(value)} ${unit}`)
}

/** What issue by issue was promised, as ratios of medians within this run. */
function targets(figures: readonly Figure[]): Target[] {
  const of = (what: string, where: string, who: string) =>
    figures.find((f) => f.what === what && f.where === where && f.who === who)?.value
  const all: Target[] = []
  const atLeast = (what: string, where: string, peer: string, wanted: number) => {
    const [ours, theirs] = [of(what, where, 'tunfilter'), of(what, where, peer)]
    if (ours === undefined || theirs === undefined) return
    const ratio = round(ours / theirs)
    all.push({
      what: `${what}, ${where}`,
      wanted: `at least ${wanted} of ${peer}`,
      got: `${ratio}`,
      held: ratio >= wanted,
    })
  }
  const atMost = (what: string, where: string, peer: string, wanted: number) => {
    const [ours, theirs] = [of(what, where, 'tunfilter'), of(what, where, peer)]
    if (ours === undefined || theirs === undefined) return
    const ratio = round(ours / theirs)
    all.push({
      what: `${what}, ${where}`,
      wanted: `at most ${wanted} of ${peer}`,
      got: `${ratio}`,
      held: ratio <= wanted,
    })
  }
  for (const where of [THERE, BACK]) {
    atLeast(TCP, where, 'bare C', 0.95)
    atLeast(TCP, where, 'kernel', 0.75)
  }
  atLeast(FLOOD, 'at the receiver', 'bare C', 0.9)
  atLeast(FLOOD, 'at the receiver', 'kernel', 1.4)
  atLeast(FASTEST, 'at most 0.5 % lost', 'bare C', 0.9)
  atLeast(FASTEST, 'at most 0.5 % lost', 'kernel', 1.4)
  atMost(PACED, 'of the gateway', 'bare C', 1.2)
  atMost(ROUND_TRIP, MEDIAN, 'kernel', 1.4)
  atMost(ROUND_TRIP, P99, 'kernel', 1.4)
  const waited = of(BYSTANDER, MEDIAN, 'tunfilter')
  if (waited !== undefined)
    all.push({
      what: `${BYSTANDER}, ${MEDIAN}`,
      wanted: `less than ${BYSTANDER_WANTED} us`,
      got: `${waited} us`,
      held: waited < BYSTANDER_WANTED,
    })
  return all
}

const TCP = 'one TCP stream'
const PING = 'ping'
const BYSTANDER = 'a ping from elsewhere during a flood'
const FLOOD = '64-byte UDP, flood'
const FASTEST = '64-byte UDP, highest rate'
const PACED = 'processor time at 100 kpps'
const ROUND_TRIP = 'UDP round trip'
const THERE = 'client to server'
const BACK = 'server to client'
const MEDIAN = 'median'
const P99 = '99th percentile'

/** The first packets find their way before anything is measured. */
async function reach({ name, client }: Gateway): Promise<void> {
  const ask = () =>
    inside(client, 'ping', '-c', '1', '-W', '1', SERVER).then(
      () => true,
      () => false,
    )
  if (isInPath('ping')) await until(ask, 5, () => `nothing comes through ${name}: ping ${SERVER} has no answer`)
}

/** Measures what `work` costs the gateway and the machine. */
async function costing<T>(gateway: Gateway, work: () => Promise<T>) {
  const own = gateway.processorTime()
  const machine = machineTime()
  const begin = performance.now()
  const done = await work()
  const seconds = (performance.now() - begin) / 1000
  const ended = gateway.processorTime()
  return {
    done,
    busy: (machineTime() - machine) / seconds,
    /** Processor seconds of the gateway's process. */
    used: own === undefined || ended === undefined ? undefined : ended - own,
    seconds,
  }
}

async function stream(gateway: Gateway, { seconds }: Lengths, back: boolean): Promise<Taken> {
  const server = startInside(gateway.server, 'iperf3', '-s', '-1', '-p', PORT)
  await listening(gateway.server, 't')
  const args = ['-c', SERVER, '-p', PORT, '-t', String(seconds), '-J', ...(back ? ['-R'] : [])]
  const { done, busy, used, seconds: lasted } = await costing(gateway, () => inside(gateway.client, 'iperf3', ...args))
  await server.stop()
  const { end } = JSON.parse(done) as { end: { sum_received: { bits_per_second: number } } }
  const value = end.sum_received.bits_per_second / 1e9
  const also = { busyCores: busy, ...(used === undefined ? {} : { gatewayCores: used / lasted }) }
  return { what: TCP, where: back ? BACK : THERE, unit: 'Gbit/s', value, also }
}

async function flood(gateway: Gateway, { seconds }: Lengths): Promise<Taken> {
  const sink = startInside(gateway.server, UDP, 'sink', PORT, String(seconds))
  await listening(gateway.server, 'u')
  // The flood outlasts the counting, so that its end is not counted.
  const args = ['flood', SERVER, PORT, String(seconds + 0.3)]
  const { busy, used } = await costing(gateway, () => inside(gateway.client, UDP, ...args))
  const got = JSON.parse(await sink.output) as { packets: number; seconds: number }
  const rate = got.packets === 0 ? 0 : got.packets / got.seconds
  const forwarded = rate * (seconds + 0.3)
  const also = {
    busyCores: busy,
    ...(used === undefined ? {} : { gatewayNanosecondsAPacket: (used / forwarded) * 1e9 }),
  }
  return { what: FLOOD, where: 'at the receiver', unit: 'kpps', value: rate / 1000, also }
}

/** Share of the packets that arrives at this rate, and what they cost. */
async function at(gateway: Gateway, rate: number, seconds: number) {
  const sink = startInside(gateway.server, UDP, 'sink', PORT, String(seconds + 1))
  await listening(gateway.server, 'u')
  const args = ['pace', SERVER, PORT, String(seconds), String(rate)]
  const { done, used } = await costing(gateway, () => inside(gateway.client, UDP, ...args))
  await new Promise((resolve) => setTimeout(resolve, 50))
  await sink.stop()
  const sent = (JSON.parse(done) as { packets: number; seconds: number }) ?? { packets: 0, seconds: 1 }
  const got = JSON.parse(await sink.output) as { packets: number }
  return { arrived: got.packets / sent.packets, rate: sent.packets / sent.seconds, used, packets: sent.packets }
}

/** The highest rate of which at most this share is lost on the way. */
const LOSS = 0.005
const HIGHEST = 800_000

async function highest(gateway: Gateway, { halvings }: Lengths): Promise<Taken> {
  let [low, high, best] = [0, HIGHEST, 0]
  for (let i = 0; i < halvings; i++) {
    const wanted = (low + high) / 2
    const { arrived, rate } = await at(gateway, wanted, 1)
    // A sender that cannot keep up has sent less: what it sent counts.
    if (arrived >= 1 - LOSS) {
      best = Math.max(best, rate)
      low = wanted
    } else high = wanted
  }
  return { what: FASTEST, where: 'at most 0.5 % lost', unit: 'kpps', value: best / 1000 }
}

async function paced(gateway: Gateway, { seconds }: Lengths): Promise<Taken | undefined> {
  const { used, packets, arrived } = await at(gateway, 100_000, seconds)
  // The kernel forwards in the sender's time, which cannot be told from its own.
  if (used === undefined) return undefined
  const value = (used / packets) * 1e9
  const also = { lost: Math.round(packets * (1 - arrived)) }
  return { what: PACED, where: 'of the gateway', unit: 'ns a packet', value, also }
}

/**
 * What somebody on another device sees of a flood: the server's pings of the gateway, which stand in no queue with it. The bare
 * forwarder answers no ping.
 */
async function bystander(gateway: Gateway, { seconds }: Lengths): Promise<Taken | undefined> {
  if (gateway.name.startsWith('bare')) return undefined
  const sink = startInside(gateway.server, UDP, 'sink', PORT, '10')
  await listening(gateway.server, 'u')
  const flooded = startInside(gateway.client, UDP, 'flood', SERVER, PORT, String(seconds + 1))
  await new Promise((resolve) => setTimeout(resolve, 200))
  const count = seconds * 200
  const said = await inside(gateway.server, 'ping', '-n', '-c', String(count), '-i', '0.005', WAN_ROUTER)
  await flooded.stop()
  await sink.stop()
  const times = [...said.matchAll(/ time=([\d.]+) ms/g)].map(([, ms]) => Number(ms) * 1000)
  const also = { p99: quantile(times, 0.99), lost: count - times.length }
  return { what: BYSTANDER, where: MEDIAN, unit: 'us', value: median(times), also }
}

async function questions(gateway: Gateway, { questions: count }: Lengths): Promise<Taken[]> {
  const echo = startInside(gateway.server, UDP, 'echo', PORT, '5')
  await listening(gateway.server, 'u')
  const said = await inside(gateway.client, UDP, 'rtt', SERVER, PORT, String(count))
  await echo.stop()
  const { p50, p99, lost } = JSON.parse(said) as { p50: number; p99: number; lost: number }
  const taken = { what: ROUND_TRIP, unit: 'us', also: { lost } }
  return [
    { ...taken, where: MEDIAN, value: p50 },
    { ...taken, where: P99, value: p99 },
  ]
}

async function pings({ client }: Gateway, { pings: count }: Lengths): Promise<Taken[]> {
  const said = await inside(client, 'ping', '-n', '-c', String(count), '-i', '0.005', SERVER)
  const times = [...said.matchAll(/ time=([\d.]+) ms/g)].map(([, ms]) => Number(ms) * 1000)
  const taken = { what: PING, unit: 'us', also: { lost: count - times.length } }
  return [
    { ...taken, where: MEDIAN, value: median(times) },
    { ...taken, where: P99, value: quantile(times, 0.99) },
  ]
}

/** Waits until something listens on our port inside a namespace. */
async function listening(namespace: string, protocol: 't' | 'u'): Promise<void> {
  const list = () => inside(namespace, 'ss', '-H', '-n', '-l', `-${protocol}`, 'sport', '=', `:${PORT}`)
  await until(
    async () => (await list()) !== '',
    3,
    () => `nothing listens on port ${PORT} in ${namespace}`,
  )
}
