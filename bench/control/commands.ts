// What a call of a command costs, beside the real one in the same run: programs make thousands of them. Both are called by the
// same shell loop, in blocks that take turns, so that the machine's other work falls on both.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Figure, figure, median, type Result, round } from '../figure.ts'
import { isInPath } from '../path/programs.ts'
import { type Gateway, withGateway } from './gateway.ts'
import { largeTable } from './large.ts'

/** The real command's price that a drop-in may cost. */
const MOST = 2
const RULES = [10, 1000, 10_000]
const RULE = '-s 10.0.5.0/24 -p tcp -m tcp --dport 5 -j ACCEPT'

export async function control(quick: boolean): Promise<Result> {
  if (process.getuid?.() !== 0 || !isInPath('iptables-legacy'))
    return { figures: [], targets: [], skipped: ['commands beside the real ones: need root and iptables-legacy'] }
  const commands = await withGateway((gateway) => measured(gateway, quick))
  const large = await largeTable(quick)
  return {
    figures: [...commands.figures, ...large.figures],
    targets: [...commands.targets, ...large.targets],
    skipped: large.skipped,
  }
}

function measured({ folder, bin, env }: Gateway, quick: boolean): Result {
  const sides = [
    { who: 'tunfilter', command: join(bin, 'iptables') },
    { who: 'iptables-legacy', command: 'iptables-legacy' },
  ]
  const figures: Figure[] = []
  const targets = []
  for (const rules of quick ? RULES.slice(0, 2) : RULES) {
    writeFileSync(join(folder, 'rules'), ruleFile(rules))
    const values = measure(folder, env, sides, quick ? 5 : 15, quick ? 20 : 50)
    for (const [i, { who }] of sides.entries())
      figures.push(figure('iptables -C', `${rules} rules`, 'µs a call', values[i], { who }))
    const ratio = round(median(values[0].map((value, i) => value / values[1][i])))
    targets.push({
      what: `iptables -C among ${rules} rules`,
      wanted: `at most ${MOST} times the real one`,
      got: `${ratio} times`,
      held: ratio <= MOST,
    })
  }
  return { figures, targets, skipped: [] }
}

function ruleFile(count: number): string {
  const rules = Array.from(
    { length: count },
    (_, i) => `-A FORWARD -s 10.${i >> 8}.${i & 255}.0/24 -p tcp -m tcp --dport ${i} -j ACCEPT\n`,
  )
  return `*filter\n${rules.join('')}COMMIT\n`
}

/** Microseconds a call, by side and block. */
function measure(
  folder: string,
  env: NodeJS.ProcessEnv,
  sides: readonly { readonly command: string }[],
  blocks: number,
  calls: number,
): number[][] {
  const loop = ({ command }: { command: string }) =>
    `s=$(date +%s%N); i=0; while [ $i -lt ${calls} ]; do ${command} -C FORWARD ${RULE} || exit 1; i=$((i+1)); done; echo $((($(date +%s%N) - s) / 1000))`
  const script = [
    ...sides.map(({ command }) => `${command}-restore < ${folder}/rules || exit 1`),
    // One call each before it counts.
    ...sides.map(({ command }) => `${command} -C FORWARD ${RULE} || exit 1`),
    ...Array.from({ length: blocks }, () => sides.map(loop)).flat(),
  ].join('\n')
  // The real one needs tables of its own.
  const printed = execFileSync('unshare', ['-n', 'sh', '-c', script], { encoding: 'utf8', env }).trim().split('\n')
  return sides.map((_, i) => printed.filter((__, line) => line % sides.length === i).map((all) => Number(all) / calls))
}
