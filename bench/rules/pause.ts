// How long packets wait in the real gateway while its rules change: packets cross it through TUN at a steady rate, each with the
// time at which it was sent in it, while 100,000 rules are loaded, replaced and taken away, and while rules are inserted one
// by one. The delay ends when the kernel has the packet at the other end, so that the receiver's own waiting is not in it.
//
// The thread that handles packets goes before others by its niceness. Where all of this runs with a real-time priority, to be out of
// other programs' way, niceness means nothing: there the thread has a priority above.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DATA_PLANE_NICE } from '../../src/gateway/orders.ts'
import { type Figure, figure, type Result, say, type Target } from '../figure.ts'
import { DEFAULT_WAY, ourGateway } from '../path/gateways.ts'
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
}

export async function rulesPause(quick: boolean): Promise<Result> {
  const lacking = missing()
  if (lacking.length > 0)
    return { figures: [], targets: [], skipped: [`pauses: not run, because there is no ${lacking.join(', no ')}`] }
  await compilePeers()
  return await withLab((lab) => measured(lab, quick))
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
  const rounds = quick ? 2 : 6
  const insertions = quick ? 100 : 1000
  const restore = (file: string) => `${bin}/iptables-restore < ${lab.directory}/${file} || exit 1`
  const phases: readonly (readonly [where: string, script: string])[] = [
    ['at rest', `sleep ${quick ? 2 : 5}`],
    [
      '100,000 rules loaded and taken away',
      Array(rounds)
        .fill(`${restore('one')}\n${restore('none')}`)
        .join('\n'),
    ],
    [
      '100,000 rules replaced',
      Array(rounds)
        .fill(`${restore('one')}\n${restore('other')}`)
        .join('\n'),
    ],
    [
      `${insertions.toLocaleString('en')} rules inserted into 100,000, one by one`,
      `i=0; while [ $i -lt ${insertions} ]; do ${bin}/iptables -I FORWARD $((1 + i * 97)) -s 192.168.1.1 -p tcp -j DROP || exit 1; i=$((i+1)); done`,
    ],
  ]
  process.env.TUNFILTER_CONTROL = control
  const figures: Figure[] = []
  const targets: Target[] = []
  for (const [where, script] of phases) {
    say(`rules: pauses, ${where}`)
    const receiver = startInside(gateway.server, UDP, 'delays', PORT, '300')
    const sender = startInside(gateway.client, UDP, 'stamped', gateway.address, PORT, '300', String(RATE))
    await new Promise((resolve) => setTimeout(resolve, 500))
    await run('sh', '-c', script)
    await sender.stop()
    await receiver.stop()
    const sent = (JSON.parse(await sender.output) as { packets: number }).packets
    const { packets, median, p999, max } = JSON.parse(await receiver.output) as Delays
    const lost = sent - packets
    const also = { 'us at the median': median, 'us at 99.9 %': p999, lost }
    figures.push(figure(PAUSE, where, 'ms', [max / 1000], { who: 'tunfilter', also }))
    if (where !== 'at rest')
      targets.push({
        what: `${PAUSE}, ${where}`,
        wanted: `at most ${ALLOWED_MS} ms, none lost`,
        got: `${(max / 1000).toFixed(2)} ms, ${lost} lost`,
        held: max <= ALLOWED_MS * 1000 && lost === 0,
      })
  }
  return { figures, targets, skipped: [] }
}
