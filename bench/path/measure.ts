// What is measured of a gateway, from its two ends: rates, what they cost, and delays.

import { median, type Quantile, quantile } from '../figure.ts'
import type { Gateway } from './gateways.ts'
import { inside, startInside, UDP } from './lab.ts'
import { machineTime, until } from './programs.ts'
import type { Taken } from './series.ts'

const PORT = '5201'

export interface Lengths {
  readonly rounds: number
  readonly seconds: number
  readonly pings: number
  readonly questions: number
  /** Rates that are tried to find the highest without loss, by halving. */
  readonly halvings: number
}

export const TCP = 'one TCP stream'
export const PING = 'ping'
export const BYSTANDER = 'a ping from elsewhere during a flood'
export const FLOOD = '64-byte UDP, flood'
export const FASTEST = '64-byte UDP, highest rate'
export const PACED = 'processor time at 100 kpps'
export const ROUND_TRIP = 'UDP round trip'
export const THERE = 'client to server'
export const BACK = 'server to client'
export const AT_RECEIVER = 'at the receiver'
export const AT_MOST_LOST = 'at most 0.5 % lost'
export const OF_GATEWAY = 'of the gateway'
export const MEDIAN = 'median'
export const P99 = '99th percentile'

/** The first packets find their way before anything is measured: an answer comes back. */
export async function reach(gateway: Pick<Gateway, 'name' | 'client' | 'server' | 'address'>): Promise<void> {
  const echo = startInside(gateway.server, UDP, 'echo', PORT, '10')
  try {
    await listening(gateway.server, 'u')
    const ask = () =>
      inside(gateway.client, UDP, 'rtt', gateway.address, PORT, '1').then(
        () => true,
        () => false,
      )
    await until(ask, 5, () => `nothing comes back from ${gateway.address} through ${gateway.name}`)
  } finally {
    await echo.stop()
  }
}

/** Measures what `work` costs the gateway and the machine. */
export async function costing<T>(gateway: Gateway, work: () => Promise<T>) {
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

export async function stream(gateway: Gateway, { seconds }: Pick<Lengths, 'seconds'>, back: boolean): Promise<Taken> {
  const server = startInside(gateway.server, 'iperf3', '-s', '-1', '-p', PORT)
  await listening(gateway.server, 't')
  const args = ['-c', gateway.address, '-p', PORT, '-t', String(seconds), '-J', ...(back ? ['-R'] : [])]
  const { done, busy, used, seconds: lasted } = await costing(gateway, () => inside(gateway.client, 'iperf3', ...args))
  await server.stop()
  const { end } = JSON.parse(done) as { end: { sum_received: { bits_per_second: number } } }
  const value = end.sum_received.bits_per_second / 1e9
  const also = { busyCores: busy, ...(used === undefined ? {} : { gatewayCores: used / lasted }) }
  return { what: TCP, where: back ? BACK : THERE, unit: 'Gbit/s', value, also }
}

/** @param flows that flood at once, each from a socket and a process of its own */
export async function flood(gateway: Gateway, { seconds }: Pick<Lengths, 'seconds'>, flows = 1): Promise<Taken> {
  const sink = startInside(gateway.server, UDP, 'sink', PORT, String(seconds))
  await listening(gateway.server, 'u')
  // The flood outlasts the counting, so that its end is not counted.
  const args = ['flood', gateway.address, PORT, String(seconds + 0.3)]
  const { busy, used } = await costing(gateway, () =>
    Promise.all(Array.from({ length: flows }, () => inside(gateway.client, UDP, ...args))),
  )
  const got = JSON.parse(await sink.output) as { packets: number; seconds: number }
  const rate = got.packets === 0 ? 0 : got.packets / got.seconds
  const forwarded = rate * (seconds + 0.3)
  const also = {
    busyCores: busy,
    ...(used === undefined ? {} : { gatewayNanosecondsAPacket: (used / forwarded) * 1e9 }),
  }
  return { what: FLOOD, where: AT_RECEIVER, unit: 'kpps', value: rate / 1000, also }
}

/** Share of the packets that arrives at this rate, and what they cost. */
export async function at(gateway: Gateway, rate: number, seconds: number) {
  const sink = startInside(gateway.server, UDP, 'sink', PORT, String(seconds + 1))
  await listening(gateway.server, 'u')
  const args = ['pace', gateway.address, PORT, String(seconds), String(rate)]
  const { done, used } = await costing(gateway, () => inside(gateway.client, UDP, ...args))
  await new Promise((resolve) => setTimeout(resolve, 50))
  await sink.stop()
  const sent = (JSON.parse(done) as { packets: number; seconds: number }) ?? { packets: 0, seconds: 1 }
  const got = JSON.parse(await sink.output) as { packets: number }
  return { arrived: got.packets / sent.packets, rate: sent.packets / sent.seconds, used, packets: sent.packets }
}

/** The share that the highest rate may lose on the way. */
const LOSS = 0.005
const HIGHEST = 800_000
/** Seconds that a rate is tried for. */
const TRIED = 0.6

export async function highest(gateway: Gateway, { halvings }: Lengths): Promise<Taken> {
  let [low, high, best] = [0, HIGHEST, 0]
  for (let i = 0; i < halvings; i++) {
    const wanted = (low + high) / 2
    const { arrived, rate } = await at(gateway, wanted, TRIED)
    // A sender that cannot keep up has sent less: what it sent counts.
    if (arrived >= 1 - LOSS) {
      best = Math.max(best, rate)
      low = wanted
    } else high = wanted
  }
  return { what: FASTEST, where: AT_MOST_LOST, unit: 'kpps', value: best / 1000 }
}

export async function paced(gateway: Gateway, { seconds }: Lengths): Promise<Taken | undefined> {
  const { used, packets, arrived } = await at(gateway, 100_000, seconds)
  // The kernel forwards in the sender's time, which cannot be told from its own.
  if (used === undefined) return undefined
  const value = (used / packets) * 1e9
  const also = { lost: Math.round(packets * (1 - arrived)) }
  return { what: PACED, where: OF_GATEWAY, unit: 'ns a packet', value, also }
}

/**
 * What somebody on another device sees of a flood: the server's pings of the gateway, which stand in no queue with it; where
 * the gateway answers pings.
 */
export async function bystander(gateway: Gateway, { seconds }: Lengths): Promise<Taken | undefined> {
  if (gateway.bystander === undefined) return undefined
  const sink = startInside(gateway.server, UDP, 'sink', PORT, '10')
  await listening(gateway.server, 'u')
  const flooded = startInside(gateway.client, UDP, 'flood', gateway.address, PORT, String(seconds + 1))
  await new Promise((resolve) => setTimeout(resolve, 200))
  const count = seconds * 200
  const said = await inside(gateway.server, 'ping', '-n', '-c', String(count), '-i', '0.005', gateway.bystander)
  await flooded.stop()
  await sink.stop()
  const times = [...said.matchAll(/ time=([\d.]+) ms/g)].map(([, ms]) => Number(ms) * 1000)
  const also = { p99: quantile(times, 0.99), lost: count - times.length }
  return { what: BYSTANDER, where: MEDIAN, unit: 'us', value: median(times), also }
}

export async function questions(gateway: Gateway, { questions: count }: Pick<Lengths, 'questions'>): Promise<Taken[]> {
  const echo = startInside(gateway.server, UDP, 'echo', PORT, '5')
  await listening(gateway.server, 'u')
  const said = await inside(gateway.client, UDP, 'rtt', gateway.address, PORT, String(count))
  await echo.stop()
  const { p50, p99, lost, quantiles } = JSON.parse(said) as {
    p50: number
    p99: number
    lost: number
    quantiles: Quantile[]
  }
  const taken = { what: ROUND_TRIP, unit: 'us', also: { lost } }
  return [
    { ...taken, where: MEDIAN, value: p50, quantiles },
    { ...taken, where: P99, value: p99 },
  ]
}

export async function pings({ client, address }: Gateway, { pings: count }: Lengths): Promise<Taken[]> {
  const said = await inside(client, 'ping', '-n', '-c', String(count), '-i', '0.005', address)
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
