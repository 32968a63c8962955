// A soak: the gateway at the rate that it can take, for minutes, while its rules are changed and reloaded every second, new flows
// come and old ones expire. What goes in has to come out, and nothing may grow. The run is cut into slices; the first third of
// them is for everything to become warm, and the last is held against the middle one.
//
// What the devices drop because their queue is full is the device's own: a packet counts from where the device handed it over.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Figure, figure, quantile, type Result, round, say, type Target } from '../figure.ts'
import type { Options } from '../part.ts'
import { ROOT } from '../root.ts'
import { type Collection, collectionsIn, leastLeft } from './collections.ts'
import { rules } from './config.ts'
import { DEFAULT_WAY, type OurGateway, ourGateway, WAN_ROUTER } from './gateways.ts'
import { compilePeers, inside, missing, startInside, UDP, withLab } from './lab.ts'
import { reach } from './measure.ts'
import { isInPath, run } from './programs.ts'

const PORT = '5201'
const SLICES = 30
const THIRD = SLICES / 3
/** After so many slices the control side's garbage is collected. */
const COLLECTING = 5
/** New flows a second, and how long they live: what the table holds. */
const CHURN = 500
const LIFE = 5
const PINGS_A_SECOND = 200
/** A program needs some time to begin and to end. */
const SPARE = 1.5
/** What may lie between two thirds that are steady: a share, and a little besides. */
const HEAP_STEADY = { share: 1.05, more: 1 }
const RESIDENT_STEADY = { share: 1.03, more: 8 }
/** Slices end at different moments of a second. */
const FLOWS_STEADY = { share: 1.1, more: CHURN }
const DELAY_STEADY = { share: 1.5, more: 1000 }

interface Slice {
  /** At the receiver, a second. */
  readonly rate: number
  readonly delays: readonly number[]
  readonly lostPings: number
  readonly flows: number
  readonly residentMegabytes: number
}

export async function soak({ minutes }: Options): Promise<Result> {
  const lacking = [...missing(), ...(isInPath('ping') ? [] : ['ping'])]
  if (lacking.length > 0)
    return { figures: [], targets: [], skipped: [`not run, because there is no ${lacking.join(', no ')}`] }
  await compilePeers()
  return await withLab(async (lab) => {
    const file = join(lab.directory, 'rules')
    writeFileSync(file, rules())
    const control = join(lab.directory, 'control')
    process.env.TUNFILTER_CONTROL = control
    const gateway = await ourGateway(lab, 't', {
      ...DEFAULT_WAY,
      rules: file,
      more: ['--control', control],
      node: ['--trace-gc', '--expose-gc', '--import', `${ROOT}bench/peers/collect.js`],
      sysctl: {
        'net.netfilter.nf_conntrack_udp_timeout': LIFE,
        'net.netfilter.nf_conntrack_udp_timeout_stream': LIFE,
      },
    })
    const started = performance.now()
    await reach(gateway)
    const reloading = new Reloading(gateway, file)
    const slices: Slice[] = []
    const seconds = Math.max((minutes * 60) / SLICES, 1)
    const begins: number[] = []
    for (let i = 0; i < SLICES; i++) {
      begins.push((performance.now() - started) / 1000)
      slices.push(await slice(gateway, seconds))
      if (i % COLLECTING === COLLECTING - 1) process.kill(gateway.up.pid, 'SIGUSR2')
      const { rate, delays, flows, residentMegabytes } = slices[i]
      say(
        `soak: ${i + 1} of ${SLICES}: ${round(rate / 1000)} kpps, ping p99 ${round(quantile(delays, 0.99))} us, ` +
          `${flows} flows, ${round(residentMegabytes)} MB, ${reloading.asked} reloads`,
      )
    }
    begins.push((performance.now() - started) / 1000)
    await reloading.stop()
    // What is under way arrives.
    await setTimeout(500)
    const [lan, wan] = [await linkCounters(gateway.client, 'lan'), await linkCounters(gateway.server, 'wan')]
    await gateway.up.stop()
    const said = await gateway.up.output
    return {
      figures: [...figuresOf(slices), ...droppedByDevices(lan, wan)],
      targets: [
        ...accounted(said, lan, wan),
        ...heaps(collectionsIn(said), begins),
        steady('resident memory, least', slices, (s) => s.residentMegabytes, Math.min, RESIDENT_STEADY, 'MB'),
        steady('flows, most', slices, (s) => s.flows, Math.max, FLOWS_STEADY, ''),
        delaysSteady(slices),
        reloading.target(),
      ],
      skipped: [],
    }
  })
}

async function slice(gateway: OurGateway, seconds: number): Promise<Slice> {
  const { client, server, address } = gateway
  const sink = startInside(server, UDP, 'sink', PORT, String(seconds + 2 * SPARE))
  const flood = startInside(client, UDP, 'flood', address, PORT, String(seconds))
  const churn = startInside(client, UDP, 'churn', address, '5202', String(seconds), String(CHURN))
  const count = Math.max(Math.round((seconds - 0.2) * PINGS_A_SECOND), 1)
  const args = ['-n', '-c', String(count), '-i', String(1 / PINGS_A_SECOND), '-W', '1', WAN_ROUTER]
  const said = await inside(server, 'ping', ...args)
  const flows = Number(await run(process.execPath, join(ROOT, 'dist/cli/main.js'), 'conntrack', '-C'))
  await Promise.all([flood.output, churn.output])
  await sink.stop()
  const got = JSON.parse(await sink.output) as { packets: number; seconds: number }
  const delays = [...said.matchAll(/ time=([\d.]+) ms/g)].map(([, ms]) => Number(ms) * 1000)
  return {
    rate: got.seconds === 0 ? 0 : got.packets / got.seconds,
    delays,
    lostPings: count - delays.length,
    flows,
    residentMegabytes: resident(gateway.up.pid),
  }
}

function resident(pid: number): number {
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024
}

/** Writes other rules and has them reloaded, every second. */
class Reloading {
  asked = 0
  readonly #gateway: OurGateway
  readonly #file: string
  readonly #timer: NodeJS.Timeout

  constructor(gateway: OurGateway, file: string) {
    this.#gateway = gateway
    this.#file = file
    this.#timer = setInterval(() => this.#reload(), 1000)
  }

  #reload(): void {
    this.asked++
    // A hundred rules come and go, and one is another every time.
    const more = Array.from({ length: this.asked % 2 === 0 ? 100 : 1 }, (_, i) => {
      const n = this.asked + i
      return `-A FORWARD -s 172.31.${(n >> 8) & 255}.${n & 255}/32 -p tcp -m tcp --dport ${1 + (n % 60_000)} -j DROP\n`
    })
    writeFileSync(this.#file, rules().replace('-A FORWARD -m mark', `${more.join('')}-A FORWARD -m mark`))
    process.kill(this.#gateway.up.pid, 'SIGHUP')
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await setTimeout(1000)
  }

  target(): Target {
    const log = this.#gateway.up.errors()
    const [done, refused] = [log.match(/rules loaded/g)?.length ?? 0, log.match(/reload: /g)?.length ?? 0]
    return {
      what: 'reloads',
      wanted: 'every one in force, none refused',
      got: `${done} of ${this.asked}, ${refused} lines of complaint`,
      held: done === this.asked && refused === 0,
    }
  }
}

interface LinkCounters {
  /** As the kernel's end sees it: what the gateway was handed, and what came from it. */
  readonly handed: number
  readonly came: number
  readonly dropped: number
}

async function linkCounters(namespace: string, device: string): Promise<LinkCounters> {
  const [{ stats64 }] = JSON.parse(await run('ip', '-n', namespace, '-s', '-j', 'link', 'show', 'dev', device)) as [
    { stats64: { rx: { packets: number; dropped: number }; tx: { packets: number; dropped: number } } },
  ]
  return { handed: stats64.tx.packets, came: stats64.rx.packets, dropped: stats64.tx.dropped + stats64.rx.dropped }
}

/** The gateway's totals against the kernel's, and against each other. */
function accounted(said: string, lan: LinkCounters, wan: LinkCounters): Target[] {
  const totals = (device: string) => {
    const [, packetsIn, packetsOut, errors] =
      new RegExp(`^${device} +(\\d+) +\\d+ +(\\d+) +\\d+ +(\\d+)$`, 'm').exec(said)?.map(Number) ?? []
    return { in: packetsIn, out: packetsOut, errors }
  }
  const [ours, theirs] = [totals('lan'), totals('wan')]
  const [, list] = /^dropped(.*)/ms.exec(said) ?? []
  const drops = new Map([...(list ?? '').matchAll(/^ +(\w+) +(\d+)$/gm)].map(([, name, n]) => [name, Number(n)]))
  // The pings, which it answers itself: by the device that they came from.
  const answered = drops.get('delivered') ?? 0
  drops.delete('delivered')
  const same = (what: string, pairs: readonly (readonly [string, number, number])[]): Target => ({
    what,
    wanted: 'the same number of packets',
    got: pairs.map(([name, a, b]) => `${name} ${a} and ${b}`).join(', '),
    held: pairs.every(([, a, b]) => a === b),
  })
  return [
    same('what the devices handed over and what the gateway had', [
      ['lan', lan.handed, ours.in],
      ['wan', wan.handed, theirs.in],
    ]),
    same('what the gateway sent and what came out of the devices', [
      ['lan', lan.came, ours.out],
      ['wan', wan.came, theirs.out],
    ]),
    same('what came into the gateway and what left by the other device', [
      ['from lan, with answered pings', ours.in + answered, theirs.out],
      ['from wan', theirs.in, ours.out + answered],
    ]),
    {
      what: 'packets dropped, errors of devices',
      wanted: 'none',
      got: `${list === undefined ? 'no totals' : `dropped ${JSON.stringify(Object.fromEntries(drops))}`}, ${ours.errors + theirs.errors} errors`,
      held: list !== undefined && drops.size === 0 && ours.errors + theirs.errors === 0,
    },
  ]
}

function droppedByDevices(lan: LinkCounters, wan: LinkCounters): Figure[] {
  const share = (lan.dropped / (lan.handed + lan.dropped)) * 100
  return [
    figure('dropped by the device before the gateway', 'lan, its queue full', '%', [share], { who: 'tunfilter' }),
    figure('dropped by the device before the gateway', 'wan', 'packets', [wan.dropped], { who: 'tunfilter' }),
  ]
}

function third<T>(slices: readonly T[], i: number): readonly T[] {
  return slices.slice(i * THIRD, (i + 1) * THIRD)
}

function figuresOf(slices: readonly Slice[]): Figure[] {
  const ours = { who: 'tunfilter' }
  const parts = ['first third', 'middle third', 'last third'].map((where, i) => ({ where, of: third(slices, i) }))
  return parts.flatMap(({ where, of }) => {
    const delays = of.flatMap((each) => each.delays)
    const lost = of.reduce((sum, { lostPings }) => sum + lostPings, 0)
    return [
      figure(
        '64-byte UDP at the receiver',
        where,
        'kpps',
        of.map(({ rate }) => rate / 1000),
        ours,
      ),
      figure('a ping from elsewhere, 99.9th percentile', where, 'us', [quantile(delays, 0.999)], {
        ...ours,
        also: { p50: round(quantile(delays, 0.5)), p99: round(quantile(delays, 0.99)), lost },
      }),
      figure(
        'resident memory',
        where,
        'MB',
        of.map(({ residentMegabytes }) => residentMegabytes),
        ours,
      ),
      figure(
        'flows',
        where,
        '',
        of.map(({ flows }) => flows),
        ours,
      ),
    ]
  })
}

interface Steadiness {
  readonly share: number
  readonly more: number
}

function held(what: string, unit: string, before: number, after: number, { share, more }: Steadiness): Target {
  const most = before * share + more
  return {
    what: `${what}: last third against the middle one`,
    wanted: `at most ${share} times and ${more} ${unit}`.trim(),
    got: `${round(after)} ${unit}, ${round(before)} before`.replace(' ,', ','),
    held: after <= most,
  }
}

function steady(
  what: string,
  slices: readonly Slice[],
  of: (slice: Slice) => number,
  sum: (...values: number[]) => number,
  steadiness: Steadiness,
  unit: string,
): Target {
  return held(what, unit, sum(...third(slices, 1).map(of)), sum(...third(slices, 2).map(of)), steadiness)
}

function delaysSteady(slices: readonly Slice[]): Target {
  const of = (i: number) =>
    quantile(
      third(slices, i).flatMap(({ delays }) => delays),
      0.999,
    )
  return held('99.9th percentile of the pings', 'us', of(1), of(2), DELAY_STEADY)
}

/** Each thread's heap, after garbage was collected: between collections it only grows. */
function heaps(all: readonly Collection[], begins: readonly number[]): Target[] {
  const isolates = [...new Set(all.map(({ isolate }) => isolate))]
  return isolates.map((isolate, i) => {
    const own = all.filter((one) => one.isolate === isolate)
    const name = i === 0 ? 'control side' : 'data plane'
    const [before, after] = [1, 2].map((of) => leastLeft(own, begins[of * THIRD], begins[(of + 1) * THIRD]))
    const pauses = own.filter(({ seconds }) => seconds >= begins[THIRD]).map(({ pauseMs }) => pauseMs)
    const about = `${pauses.length} collections, the longest ${round(Math.max(0, ...pauses))} ms`
    if (before === undefined || after === undefined)
      return { what: `heap, ${name}`, wanted: 'no growth', got: `${about}: hardly any garbage`, held: true }
    const target = held(`heap, ${name}`, 'MB', before, after, HEAP_STEADY)
    return { ...target, got: `${target.got}; ${about}` }
  })
}
