// What to say of a name that is not known: what was probably meant, or what could stand there.

import { didYouMean } from '../iptables/nearest.ts'

/** How many names are few enough to be listed. */
const FEW = 16

/** `; did you mean 'x'?`, or the few names that there are. */
export function suggestion(written: string, known: readonly string[]): string {
  // Half a name is meant as often as a misspelt one: `nf_conntrack_max` for `net.netfilter.nf_conntrack_max`.
  const whole = known.find((name) => name.endsWith(`.${written}`))
  if (whole !== undefined) return `; did you mean '${whole}'?`
  const near = didYouMean(written, known)
  if (near !== '' || known.length === 0 || known.length > FEW) return near
  return `; expected ${known.map((name) => `'${name}'`).join(', ')}`
}
