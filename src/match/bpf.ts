// Match bpf (xt_bpf): a program of classic BPF, which matches where it does not return 0. Offsets count from the IP header.

import { defineMatch } from '../rule/define.ts'
import { notEnforced, word } from '../rule/option.ts'
import { BpfProgram, formatInstructions, formatProgram, type Instruction, readProgram } from './bpf-program.ts'

const ETHERTYPE = { 4: 0x0800, 6: 0x86dd } as const

export const bpf = defineMatch({
  name: 'bpf',
  summary: 'a program of classic BPF says so',
  options: {
    bytecode: word<readonly Instruction[]>(
      'a program as `tcpdump -ddd` prints it, its lines joined by commas',
      readProgram,
      formatProgram,
    ).help('this program'),
    'object-pinned': notEnforced(1, "an object of the kernel's cannot be run here"),
  },
  anyOf: ['bytecode', 'object-pinned'],
  // The real tool's words: no blank before them, the length left out, a zero byte behind.
  listedClose: true,
  list: ({ bytecode = [] }) => `match bpf ${formatInstructions(bytecode)}\0`,
  looks: 'packet',
  match: ({ bytecode = [] }, { random }, { family }) => {
    const program = new BpfProgram(bytecode, { protocol: ETHERTYPE[family], random })
    return (p) => (program.run(p) === 0 ? 0 : 1)
  },
})
