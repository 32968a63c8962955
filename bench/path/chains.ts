// Rules that do not match, in FORWARD, while small packets flood: tunfilter through TUN devices beside the kernel with the
// same rules, of iptables-legacy and of iptables-nft. One pair of namespaces a gateway and number of rules; they take turns.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Figure, type Result, say, type Target } from '../figure.ts'
import type { Options } from '../part.ts'
import { blockList } from '../rules/sets.ts'
import { DEFAULT_WAY, type Gateway, kernelGateway, ourGateway } from './gateways.ts'
import { compilePeers, type Lab, missing, withLab } from './lab.ts'
import { AT_RECEIVER, FLOOD, flood, reach } from './measure.ts'
import { isInPath } from './programs.ts'
import { Series } from './series.ts'

export const KERNEL_LEGACY = 'kernel, iptables-legacy'
export const KERNEL_NFT = 'kernel, iptables-nft'
const OURS = 'tunfilter'
const SIZES = [0, 10, 100, 1000, 10_000]
export const NONE = whereOf(0)
export const MANY = whereOf(10_000)

function whereOf(rules: number): string {
  return rules === 0 ? 'no other rules' : `${rules.toLocaleString('en')} rules`
}

export async function chains({ quick }: Options): Promise<Result> {
  const lacking = missing()
  if (lacking.length > 0)
    return { figures: [], targets: [], skipped: [`not run, because there is no ${lacking.join(', no ')}`] }
  await compilePeers()
  const sizes = quick ? [0, 10_000] : SIZES
  const series = new Series((_, where) => SIZES.find((rules) => whereOf(rules) === where))
  const rounds = quick ? 1 : 3
  await withLab(async (lab) => {
    const gateways: { readonly gateway: Gateway; readonly where: string }[] = []
    for (const rules of sizes) {
      const where = whereOf(rules)
      const file = join(lab.directory, `rules-${rules}`)
      writeFileSync(file, blockList(rules))
      for (const [i, { name, open }] of SIDES.entries())
        await series.take({ name }, `set up, ${where}`, async () => {
          const gateway = await open(lab, `${rules}x${i}`, file)
          await reach(gateway)
          gateways.push({ gateway, where })
          return undefined
        })
    }
    for (let i = 1; i <= rounds; i++) {
      say(`chains: round ${i} of ${rounds}`)
      for (const { gateway, where } of gateways)
        await series.take(gateway, where, async () => ({ ...(await flood(gateway, { seconds: 0.8 })), where }))
    }
  })
  const figures = series.figures()
  return { figures, targets: targets(figures), skipped: series.skipped }
}

const kernel = (name: string, tool: string) => ({
  name,
  open: (lab: Lab, role: string, rules: string): Promise<Gateway> => {
    if (!isInPath(`${tool}-restore`)) throw new Error(`there is no ${tool}-restore (Debian: apt-get install iptables)`)
    return kernelGateway(lab, role, name, tool, rules)
  },
})

const SIDES: readonly { name: string; open: (lab: Lab, role: string, rules: string) => Promise<Gateway> }[] = [
  { name: OURS, open: (lab, role, rules) => ourGateway(lab, role, { ...DEFAULT_WAY, rules }) },
  kernel(KERNEL_LEGACY, 'iptables-legacy'),
  kernel(KERNEL_NFT, 'iptables-nft'),
]

function targets(figures: readonly Figure[]): Target[] {
  const rate = (where: string, who: string) => figures.find((f) => f.where === where && f.who === who)?.value
  const target = (wanted: number, of: string, theirs: number | undefined): Target[] => {
    const ours = rate(MANY, OURS)
    if (ours === undefined || theirs === undefined) return []
    const ratio = ours / theirs
    return [
      {
        what: `${FLOOD}, ${AT_RECEIVER}, ${MANY}`,
        wanted: `at least ${wanted} times ${of}`,
        got: ratio.toPrecision(3),
        held: ratio >= wanted,
      },
    ]
  }
  return [
    ...target(0.97, 'ours without other rules', rate(NONE, OURS)),
    ...target(30, KERNEL_LEGACY, rate(MANY, KERNEL_LEGACY)),
    ...target(70, KERNEL_NFT, rate(MANY, KERNEL_NFT)),
  ]
}
