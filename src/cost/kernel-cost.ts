// The same rule sets in the kernel beside ours, with each of iptables' two tools, as far as the machine lets us: each is a
// namespace of its own, and takes its turn with the others.

import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { RouterConfig } from '../config.ts'
import type { Family, RuleSet } from '../rule/model.ts'
import { countRules, grown } from './grown.ts'
import { KERNEL_TOOLS, KernelLane, type KernelTool } from './kernel.ts'
import { type RoundsOptions, type Timings, timingsOf, type Variant, variantOf } from './rounds.ts'

/** Timings, or why there are none. */
export type KernelTimings = Timings | { readonly skipped: string }

export interface KernelCost {
  readonly tool: KernelTool
  readonly withoutRules: KernelTimings
  readonly subjects: readonly {
    readonly name: string
    /** With so many times the rules, once first. */
    readonly by: readonly ({ readonly times: number } & KernelTimings)[]
  }[]
}

interface Options extends RoundsOptions {
  readonly config: RouterConfig
  readonly sets?: string
}

interface Opened {
  readonly variant?: Variant
  readonly skipped?: string
}

export class BesideKernel {
  readonly variants: Variant[] = []
  readonly #tools: {
    readonly tool: KernelTool
    readonly withoutRules: Opened
    readonly subjects: readonly {
      readonly name: string
      readonly by: readonly (Opened & { readonly times: number })[]
    }[]
  }[] = []

  /** @param times besides the rule sets as they are */
  constructor(
    subjects: readonly { readonly name: string; readonly rules: RuleSet }[],
    times: readonly number[],
    options: Options,
  ) {
    for (const tool of KERNEL_TOOLS) {
      const { family } = subjects[0].rules
      const lacking = missing(tool, family, options.sets)
      const open = (rules: RuleSet | undefined, doing: string): Opened => {
        if (lacking !== undefined) return { skipped: lacking }
        options.progress(`in the kernel, ${tool}: ${doing}`, 0)
        try {
          const lane = new KernelLane({ config: options.config, tool, family, rules, sets: options.sets })
          const variant = variantOf(lane, rules === undefined ? 0 : countRules(rules), options.traffic)
          this.variants.push(variant)
          return { variant }
        } catch (error) {
          return { skipped: (error as Error).message }
        }
      }
      this.#tools.push({
        tool,
        withoutRules: open(undefined, 'without rules'),
        subjects: subjects.map(({ name, rules }) => ({
          name,
          by: [1, ...times].map((n) => ({ times: n, ...open(n === 1 ? rules : grown(rules, n), name) })),
        })),
      })
    }
  }

  /** Once all was measured. */
  costs(): KernelCost[] {
    const timings = ({ variant, skipped = '' }: Opened) => (variant === undefined ? { skipped } : timingsOf(variant))
    return this.#tools.map(({ tool, withoutRules, subjects }) => ({
      tool,
      withoutRules: timings(withoutRules),
      subjects: subjects.map(({ name, by }) => ({
        name,
        by: by.map((one) => ({ times: one.times, ...timings(one) })),
      })),
    }))
  }

  close(): void {
    for (const { runner } of this.variants) runner.close()
  }
}

/** Why the kernel cannot be measured here; undefined when it can. */
function missing(tool: KernelTool, family: Family, sets: string | undefined): string | undefined {
  if (process.getuid?.() !== 0) return 'it needs root'
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun'
  const restore = `${family === 4 ? tool : tool.replace('iptables', 'ip6tables')}-restore`
  for (const program of [restore, 'nsenter', ...(sets === undefined || sets === '' ? [] : ['ipset'])])
    if (!(process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program))))
      return `there is no ${program}`
  return undefined
}
