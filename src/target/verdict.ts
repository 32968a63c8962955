// The standard targets: a verdict, or back to the calling chain.

import { ACCEPT, DROP } from '../hook/hook.ts'
import { defineTarget, RETURN } from '../rule/define.ts'

function verdict(name: string, summary: string, value: number) {
  return defineTarget({ name, summary, terminal: true, options: {}, target: () => () => value })
}

export const accept = verdict('ACCEPT', 'lets the packet pass this table', ACCEPT)
export const drop = verdict('DROP', 'throws the packet away', DROP)
export const returning = verdict('RETURN', 'goes back to the calling chain, or to the policy', RETURN)
