// Match cluster (xt_cluster): which of the nodes of a cluster a flow is for, by a hash of its original source address. A packet
// without a flow matches neither the nodes nor their negation. Of an IPv6 address Linux hashes the first 32 bits only, so whole
// allocations go to one node; so it is here.

import type { FlowTable6 } from '../conntrack/flows6.ts'
import { hashWord, scale } from '../nat/hash.ts'
import { NO_FLOW } from '../packet/packet.ts'
import { defineMatch } from '../rule/define.ts'
import { parseNumber } from '../rule/number.ts'
import { u32, unexpected, word } from '../rule/option.ts'

const NODES = 32
const EXPECTS_MASK = 'a mask of nodes from 1 to 0xffffffff'
const hex = (value: number) => `0x${(value >>> 0).toString(16).padStart(8, '0')}`

export const cluster = defineMatch({
  name: 'cluster',
  summary: 'the node of a cluster that a flow is for, by its source address',
  conntrack: true,
  options: {
    'cluster-local-node': u32({ min: 1, max: NODES }).negatable().help('it is for this node; the first is 1'),
    'cluster-local-nodemask': word<number>(
      EXPECTS_MASK,
      (text) => parseNumber(text, 0xffffffff, 1) ?? unexpected(text, EXPECTS_MASK),
      hex,
    )
      .negatable()
      .help('it is for one of these nodes, the first in the lowest bit'),
    'cluster-total-nodes': u32({ min: 1, max: NODES }).required().help('how many nodes there are'),
    'cluster-hash-seed': word<number>(
      'a number from 0 to 0xffffffff',
      (text) => parseNumber(text, 0xffffffff) ?? unexpected(text, 'a number from 0 to 0xffffffff'),
      hex,
    )
      .required()
      .help('the seed of the hash, the same on all nodes'),
  },
  list: (o) => {
    const nodes = o['cluster-local-nodemask'] ?? { value: 0, not: false }
    const seed = hex(o['cluster-hash-seed'])
    return `cluster ${nodes.not ? '!' : ''}node_mask=${hex(nodes.value)} total_nodes=${o['cluster-total-nodes']} hash_seed=${seed}`
  },
  exclusive: [['cluster-local-node', 'cluster-local-nodemask']],
  anyOf: ['cluster-local-node', 'cluster-local-nodemask'],
  normalize: (o) => {
    const node = o['cluster-local-node']
    if (node === undefined) return o
    return {
      ...o,
      'cluster-local-node': undefined,
      'cluster-local-nodemask': { value: (1 << (node.value - 1)) >>> 0, not: node.not },
    }
  },
  check: (o) => {
    const nodes = o['cluster-local-nodemask']?.value ?? 0
    const total = o['cluster-total-nodes']
    return total < NODES && nodes >= 2 ** total
      ? `the cluster has ${total} nodes: expected --cluster-total-nodes to be as large as the node's number`
      : undefined
  },
  looks: 'packet',
  match: (o, { conntrack: { flows } }, { family }) => {
    const { value: nodes, not } = o['cluster-local-nodemask'] ?? { value: 0, not: false }
    const total = o['cluster-total-nodes']
    const seed = o['cluster-hash-seed'] | 0
    if (family === 6) {
      const flows6 = flows as FlowTable6
      return ({ ct }) => {
        if (ct === NO_FLOW) return 0
        const node = scale(hashWord(flows6.addresses[flows6.sourceAt(ct, 0)], seed), total)
        return (((nodes >>> node) & 1) === 1) === not ? 0 : 1
      }
    }
    return (p) => {
      if (p.ct === NO_FLOW) return 0
      const node = scale(hashWord(flows.source(p.ct, 0), seed), total)
      return (((nodes >>> node) & 1) === 1) === not ? 0 : 1
    }
  },
})
