// The five hooks, Linux's priorities, and verdicts. A packet meets everything that is registered at a hook in order of
// priority, lowest first; the first verdict other than ACCEPT ends the walk through that hook.

export const PREROUTING = 0
export const INPUT = 1
export const FORWARD = 2
export const OUTPUT = 3
export const POSTROUTING = 4

export const HOOK_NAMES = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'] as const
export type HookName = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'

// NF_IP_PRI_*: where the built-in parts stand.
export const PRIORITY_DEFRAG = -400
export const PRIORITY_RAW = -300
export const PRIORITY_CONNTRACK = -200
export const PRIORITY_MANGLE = -150
export const PRIORITY_DNAT = -100
export const PRIORITY_FILTER = 0
export const PRIORITY_SECURITY = 50
export const PRIORITY_SNAT = 100
export const PRIORITY_HELPER = 300
export const PRIORITY_SYNPROXY = 0x7ffffffe
export const PRIORITY_CONFIRM = 0x7fffffff

// What a hook says. DROP counts and frees the packet; STOLEN means that it was seen to already; REPEAT runs the same function
// again; QUEUE hands it to a listener of NFQUEUE.
export const DROP = 0
export const ACCEPT = 1
export const STOLEN = 2
export const QUEUE = 3
export const REPEAT = 4

// QUEUE as a rule says it: the queue's number above, and in between whether the packet passes where nobody listens.
export const QUEUE_SHIFT = 16
export const QUEUE_BYPASS = 0x8000
/** The bits of a verdict that are one of the above. */
export const VERDICT_MASK = 0xff
