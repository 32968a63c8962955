// Loading rules, beside the real tools in the same run: `iptables-restore` on a running gateway, iptables-legacy-restore and
// iptables-nft-restore in a network namespace, in turn. And one `iptables -I` into what was loaded.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withGateway } from '../control/gateway.ts'
import { type Figure, figure, median, type Result, say, type Target } from '../figure.ts'
import { isInPath } from '../path/programs.ts'
import { blockList, kubeProxy } from './sets.ts'

export async function rulesLoad(quick: boolean): Promise<Result> {
  const tools = ['iptables-legacy-restore', 'iptables-nft-restore']
  if (process.getuid?.() !== 0 || !tools.every(isInPath))
    return { figures: [], targets: [], skipped: [`loading beside the real tools: needs root, ${tools.join(' and ')}`] }
  const sets: [string, string][] = [['10,000 rules', blockList(10_000)]]
  if (!quick) sets.push(['100,000 rules', blockList(100_000)], ['kube-proxy, 10,000 services', kubeProxy(10_000)])
  const figures: Figure[] = []
  const targets: Target[] = []
  for (const [where, text] of sets) {
    say(`rules: loading, ${where}`)
    const sides = await measure(text, quick ? 2 : 3)
    for (const [who, { loads, insertions }] of Object.entries(sides)) {
      figures.push(figure('a restore', where, 'ms', loads, { who }))
      figures.push(figure('iptables -I, at the front', where, 'ms', insertions, { who }))
    }
    const [ours, nft] = [median(sides.tunfilter.loads), median(sides['iptables-nft'].loads)]
    targets.push({
      what: `loading ${where}`,
      wanted: 'faster than iptables-nft-restore',
      got: `${ours.toFixed(0)} ms, ${nft.toFixed(0)} there`,
      held: ours < nft,
    })
  }
  return { figures, targets, skipped: [] }
}

interface Side {
  readonly loads: number[]
  readonly insertions: number[]
}

async function measure(text: string, rounds: number): Promise<Record<string, Side>> {
  return await withGateway(({ folder, bin, env }) => {
    writeFileSync(join(folder, 'rules'), text)
    const sides = ['tunfilter', 'iptables-legacy', 'iptables-nft']
    const chain = text.includes('KUBE-SERVICES') ? '-t nat -I KUBE-SERVICES' : '-I FORWARD'
    const timed = (command: string) => `s=$(date +%s%N); ${command} || exit 1; echo $((($(date +%s%N) - s) / 1000))`
    const script = Array.from({ length: rounds }, () =>
      sides.map((side) => {
        const command = side === 'tunfilter' ? `${bin}/iptables` : side
        return `${timed(`${command}-restore < ${folder}/rules`)}\n${timed(`${command} ${chain} -s 10.0.0.1 -j ACCEPT`)}`
      }),
    ).flat()
    const printed = execFileSync('unshare', ['-n', 'sh', '-c', script.join('\n')], {
      encoding: 'utf8',
      timeout: 300_000,
      env,
    })
    const values = printed
      .trim()
      .split('\n')
      .map((microseconds) => Number(microseconds) / 1000)
    const of = (side: number, what: number) => values.filter((_, i) => i % (2 * sides.length) === 2 * side + what)
    return Object.fromEntries(sides.map((name, i) => [name, { loads: of(i, 0), insertions: of(i, 1) }]))
  })
}
