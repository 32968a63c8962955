// What this project makes of rules made from its declarations is what the real tools make of them: taken, saved in the same words, or
// refused. TUNFILTER_GENERATED=5000 npx vitest run test/iptables/declared tries so many for each family, and
// TUNFILTER_SEED=N others than usual.

import { describe, expect, test } from 'vitest'
import { type Complaint, RefusedError } from '../../src/errors.ts'
import { BUILTIN } from '../../src/iptables/builtin.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { save } from '../../src/iptables/save.ts'
import { type Case, fileOf, Generator } from './declared.ts'
import { judge, needsIptables } from './real-tools.ts'

const cases = Number(process.env.TUNFILTER_GENERATED ?? 400)
const seed = Number(process.env.TUNFILTER_SEED ?? 1)

/**
 * What is refused here and taken there, because it does not mean what it says, or is not enforced: by the complaint. Each is
 * told in src/iptables/README.md.
 */
const STRICTER: readonly RegExp[] = [
  /not enforced/,
  // `5/x`, `1:2` and the like are a rate there, up to where they are understood.
  /expected a rate such as/,
  // Names that no device can have.
  /can be no device's name/,
  // Ports and the like lose their upper bits there.
  /^--(ct\w+port|[sd]port|on-port|hmark-\w+): .*(out of range|expected a (port|length))/,
  // Addresses of fewer parts than four fill up from another end than everywhere else.
  /^--(on-ip|gateway): .* is not understood/,
  // Of CT's options for zones the last one wins there, with what another has said.
  /^--zone(-orig|-reply)? and --zone(-orig|-reply)? cannot stand together/,
  /^--(set-class|hmark-\w+-prefix|connlimit-mask|hashlimit-\w+mask|hashlimit-rate-interval|to|to-destination|to-source): .* is not understood/,
  /^--(weekdays|monthdays): /,
  // Without a length a prefix is saved by its length alone, and cannot be read again.
  /^--(src|dst)-pfx: .* expected a prefix/,
  // Numbers wrap there, or are read up to where they end.
  /^--((hbh|dst)-opts|bytecode|icmpv6-type): /,
  /--contiguous needs a --timestop/,
  /^target HMARK: .*(say the same twice|expected one of them)/,
]

/** The rule as the tools there save it, which of the name of a timeout policy save four characters. */
function asSavedThere(saved: string | undefined): string | undefined {
  return saved?.replace(/(-j CT .*--timeout )"?([^\s"]{1,4})[^\s"]*"?/, '$1$2')
}

/** A timeout policy has to be there, unless nothing is tracked, which is not a matter of the text: the rule without it. */
function withoutPolicy(one: Case): Case {
  const needs = /-j CT .*--timeout \S+/.test(one.rule) && !/--notrack/.test(one.rule)
  return needs ? { ...one, rule: one.rule.replace(/(-j CT .*?)(?:! )?--timeout \S+/, '$1') } : one
}

const ruleOf = (saved: string) => /^-A .*/m.exec(saved)?.[0] ?? 'no rule'

/** Whether only the kernel would refuse it; undefined where several things are wrong, of different sorts. */
function standingOf(complaints: readonly Complaint[]): boolean | undefined {
  const sorts = new Set(complaints.map(({ standing }) => standing === true))
  return sorts.size > 1 ? undefined : sorts.has(true)
}

/** The rule as it is saved; undefined where it is refused, with why, and whether only the kernel would refuse it. */
function here(one: Case): { saved?: string; why: string; standing?: boolean } {
  try {
    return { saved: ruleOf(save(parseRestore(fileOf(one), { file: 'rules', family: one.family }))), why: '' }
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error
    return { why: error.complaints[0].message, standing: standingOf(error.complaints) }
  }
}

describe.each([4, 6] as const)('IPv%i', (family) => {
  test(...needsIptables('the real tools agree on rules made from the declarations'), ({ annotate }) => {
    // Rules about sets and accounting objects need those: they have tests of their own.
    // The tools have no match for UDP-Lite, which is their own udp.
    const declarations = BUILTIN.declarations.filter(({ name }) => !['set', 'SET', 'nfacct', 'udplite'].includes(name))
    const generator = new Generator(declarations, family, seed)
    const generated = Array.from({ length: cases }, () => generator.next()).map(withoutPolicy)
    const judged = judge(generated.map(fileOf), { family })
    const wrong: string[] = []
    let taken = 0
    for (const [i, one] of generated.entries()) {
      const ours = here(one)
      const real = judged[i]
      const saved = 'saved' in real ? ruleOf(real.saved) : undefined
      if (saved !== undefined) taken++
      // Programs see by the exit status whether it was the kernel that refused.
      const refusedByKernel = 'refused' in real && / line \d+ failed/.test(real.refused)
      const isSame =
        asSavedThere(ours.saved) === asSavedThere(saved) &&
        (saved !== undefined || (ours.standing ?? refusedByKernel) === refusedByKernel)
      if (isSame) continue
      if (ours.saved === undefined && STRICTER.some((reason) => reason.test(ours.why))) continue
      // Nodes that the tools save themselves, and do not read again.
      if (saved === undefined && /--cluster-local-nodemask/.test(one.rule)) continue
      wrong.push(
        `${one.table} ${one.rule}\n  there: ${saved ?? `refused: ${'refused' in real ? real.refused : ''}`}\n  here:  ${ours.saved ?? `refused: ${ours.why}`}`,
      )
    }
    annotate(`${taken} of ${cases} rules are taken`)
    expect(taken).toBeGreaterThan(cases / 8)
    expect(wrong.join('\n')).toBe('')
  })
})
