// How long packets wait in the real gateway while its rules change: packets cross it through TUN at a steady rate, each with the
// time at which it was sent in it, while 100,000 rules are loaded, replaced and taken away, and while rules are inserted one
// by one. The delay ends when the kernel has the packet at the other end, so that the receiver's own waiting is not in it. At the same
// time as many packets cross a bare forwarder with the same I/O and the same priority, which knows no rules: how long its packets wait
// is the machine's part, under the same load.
//
// The thread that handles packets goes before others by its niceness. Where all of this runs with a real-time priority, to be out of
// other programs' way, niceness means nothing: there the thread has a priority above.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { DATA_PLANE_NICE } from '../../src/gateway/orders.ts'
import { type Figure, figure, median, type Result, say, type Target } from '../figure.ts'
import { bareGateway, DEFAULT_WAY, type Gateway, ourGateway } from '../path/gateways.ts'
import { compilePeers, type Lab, missing, startInside, UDP, withLab } from '../path/lab.ts'
import { reach } from '../path/measure.ts'
import { run } from '../path/programs.ts'
import { ROOT } from '../root.ts'
import { blockList } from './sets.ts'

const RULES = 100_000
const PORT = '4100'
/** Packets a second. */
const RATE = 2000
const ALLOWED_MS = 5
const PAUSE = 'the longest that a packet waits'

/** As udp prints it; microseconds. */
interface Delays {
  readonly packets: number
  readonly median: number
  readonly p999: number
  readonly max: number
  /** Packets that took longer than 5 ms. */
  readonly late: number
}

type Waited = Delays & { readonly lost: number }

export async function rulesPause(quick: boolean): Promise<Result> {
  const lacking = missing()
  if (lacking.length > 0)
    return { figures: [], targets: [], skipped: [`pauses: not run, because there is no ${lacking.join(', no ')}`] }
  await compilePeers()
  return await withLab((lab) => measured(lab, quick))
}

/** The forwarder has the priority that the thread has which handles packets. */
async function goesBeforeToo(pid: number): Promise<void> {
  if (
    readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')[37] === '0'
  )
    setPriority(pid, DATA_PLANE_NICE)
  else await run('chrt', '--rr', '--pid', '30', String(pid))
}

/** Under a real-time policy: the thread that handles packets, told by its niceness, goes before the others. */
async function goesBefore(pid: number): Promise<void> {
  const fields = (file: string) =>
    readFileSync(file, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
  // Fields of proc_pid_stat(5), counted from the third: the policy's priority, and niceness.
  const [PRIORITY, NICE] = [37, 16]
  if (fields('/proc/self/stat')[PRIORITY] === '0') return
  for (const task of readdirSync(`/proc/${pid}/task`))
    if (Number(fields(`/proc/${pid}/task/${task}/stat`)[NICE]) === DATA_PLANE_NICE)
      await run('chrt', '--rr', '--pid', '30', task)
}

async function measured(lab: Lab, quick: boolean): Promise<Result> {
  const control = join(lab.directory, 'socket')
  const gateway = await ourGateway(lab, 'p', { ...DEFAULT_WAY, more: ['--control', control] })
  await reach(gateway)
  await goesBefore(gateway.up.pid)
  const bare = await bareGateway(lab, 'b', DEFAULT_WAY)
  await goesBeforeToo(bare.pid)
  await reach(bare)
  const bin = join(lab.directory, 'bin')
  await run(process.execPath, join(ROOT, 'dist/cli/main.js'), 'link', bin)
  const text = blockList(RULES)
  // Loaded in turn: of each the other has no rule.
  for (const [file, rules] of Object.entries({
    one: text,
    other: text.replaceAll('-s 172.', '-s 173.'),
    none: blockList(0),
  }))
    writeFileSync(join(lab.directory, file), rules)
  const rounds = quick ? 2 : 8
  const insertions = quick ? 100 : 1000
  const restore = (file: string) => `${bin}/iptables-restore < ${lab.directory}/${file} || exit 1`
  const phases: readonly (readonly [where: string, script: (round: number) => string])[] = [
    ['at rest', () => 'sleep 1'],
    ['100,000 rules loaded and taken away', () => `${restore('one')}\n${restore('none')}`],
    ['100,000 rules replaced', () => `${restore('one')}\n${restore('other')}`],
    [
      `${insertions.toLocaleString('en')} rules inserted into 100,000, one by one`,
      (round) => {
        const [first, end] = [round, round + 1].map((each) => Math.floor((each * insertions) / rounds))
        return `i=${first}; while [ $i -lt ${end} ]; do ${bin}/iptables -I FORWARD $((1 + i * 97)) -s 192.168.1.1 -p tcp -j DROP || exit 1; i=$((i+1)); done`
      },
    ],
  ]
  process.env.TUNFILTER_CONTROL = control
  const figures: Figure[] = []
  const targets: Target[] = []
  for (const [where, script] of phases) {
    say(`rules: pauses, ${where}`)
    const ours: Waited[] = []
    const theirs: Waited[] = []
    for (let round = 0; round < rounds; round++) {
      const ends = [await waiting(gateway), await waiting(bare)]
      await new Promise((resolve) => setTimeout(resolve, 500))
      await run('sh', '-c', script(round))
      const [own, other] = await Promise.all(ends.map((end) => end()))
      ours.push(own)
      theirs.push(other)
    }
    figures.push(pauses(where, gateway.name, ours), pauses(where, bare.name, theirs))
    if (where === 'at rest') continue
    targets.push(allowed(where, ours, theirs))
  }
  return { figures, targets, skipped: [] }
}

/**
 * Rounds in which the bare forwarder's packets waited too long as well were held up by the machine: they say nothing about rules, and
 * are told apart. At least half of the rounds have to be others.
 */
function allowed(where: string, ours: readonly Waited[], theirs: readonly Waited[]): Target {
  const isQuiet = (round: number) => theirs[round].max <= ALLOWED_MS * 1000
  const longest = (all: readonly Waited[], quiet: boolean) =>
    Math.max(...all.map(({ max }, round) => (isQuiet(round) === quiet ? max / 1000 : 0)))
  const quiet = theirs.filter((_, round) => isQuiet(round)).length
  const lost = ours.reduce((sum, each) => sum + each.lost, 0)
  const most = longest(ours, true)
  const others = ours.length - quiet
  const stalled = `; in ${others} more the machine stalled: ${longest(ours, false).toFixed(2)} ms, bare C ${longest(theirs, false).toFixed(2)}`
  return {
    what: `${PAUSE}, ${where}`,
    wanted: `at most ${ALLOWED_MS} ms, none lost`,
    got: `${most.toFixed(2)} ms in ${quiet} rounds, bare C beside ${longest(theirs, true).toFixed(2)}${others > 0 ? stalled : ''}; ${lost} lost`,
    held: most <= ALLOWED_MS && 2 * quiet >= ours.length && lost === 0,
  }
}

function pauses(where: string, who: string, all: readonly Waited[]): Figure {
  const sum = (of: (each: Waited) => number) => all.reduce((total, each) => total + of(each), 0)
  const also = {
    'us at the median': median(all.map((each) => each.median)),
    'us at 99.9 %': median(all.map(({ p999 }) => p999)),
    'later than 5 ms': sum(({ late }) => late),
    packets: sum(({ packets }) => packets),
    lost: sum(({ lost }) => lost),
  }
  const longest = all.map(({ max }) => max / 1000)
  return figure(PAUSE, where, 'ms', longest, { who, also })
}

/** Packets cross the gateway until what this gives is called, which tells how long they waited. */
async function waiting({ client, server, address }: Gateway): Promise<() => Promise<Waited>> {
  const receiver = startInside(server, UDP, 'delays', PORT, '300')
  const sender = startInside(client, UDP, 'stamped', address, PORT, '300', String(RATE))
  return async () => {
    await sender.stop()
    await receiver.stop()
    const sent = (JSON.parse(await sender.output) as { packets: number }).packets
    const delays = JSON.parse(await receiver.output) as Delays
    return { ...delays, lost: sent - delays.packets }
  }
}
