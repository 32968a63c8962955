// The machine that the figures were taken on: a figure without it says little.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  readonly v8: string
  readonly hypervisor: string
  readonly transparentHugepages: string
  /** Load average over the last minute when the run began: other people's work makes figures worse. */
  readonly load: number
  readonly commit: string
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.versions.node,
    v8: process.versions.v8,
    hypervisor: cpuFlags().includes(' hypervisor') ? 'virtual' : 'none',
    transparentHugepages: /\[(\w+)\]/.exec(read('/sys/kernel/mm/transparent_hugepage/enabled'))?.[1] ?? 'unknown',
    load: loadavg()[0],
    commit: commit(),
  }
}

export function describe(m: Machine): string {
  return (
    `${m.cores} × ${m.cpu}${m.hypervisor === 'virtual' ? ' (virtual machine)' : ''}, ${m.memoryGiB} GiB, ` +
    `Linux ${m.kernel}, Node ${m.node}, huge pages ${m.transparentHugepages}, load at the start ${m.load.toFixed(2)}, ` +
    `commit ${m.commit}`
  )
}

function cpuFlags(): string {
  return /^flags\s*:(.*)$/m.exec(read('/proc/cpuinfo'))?.[1] ?? ''
}

function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim()
    return (
      git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', 'src', 'native') === '' ? '' : ' and changes')
    )
  } catch {
    return 'unknown'
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
