// `tunfilter bench` from files: rules, configuration, sets and capture are read and judged before anything is measured.

import { writeFileSync } from 'node:fs'
import type { RouterConfig } from '../config.ts'
import { LINKTYPE_IPV4, LINKTYPE_RAW } from '../device/pcapng/blocks.ts'
import { PcapngReader } from '../device/pcapng/reader.ts'
import { TunfilterError } from '../errors.ts'
import { readConfig } from '../gateway/config.ts'
import { nameOf, readText } from '../gateway/text-file.ts'
import { parseRestore } from '../iptables/restore.ts'
import type { Family } from '../rule/model.ts'
import { type CostOptions, type CostReport, costOf, type Subject } from './cost.ts'
import type { Arrival } from './establish.ts'
import { LONGEST } from './flood.ts'
import { costPage } from './page.ts'
import type { Traffic } from './rounds.ts'
import { inventRouter } from './router.ts'
import { drawFlows, type Mix } from './traffic.ts'

export interface BenchOptions extends Pick<CostOptions, 'seconds' | 'scale' | 'kernel' | 'progress'> {
  /** 4 when left out. */
  readonly family?: Family
  /** Rule files in iptables-save form, or in ip6tables-save form; `-` is standard input. */
  readonly rules: string
  readonly against?: string
  readonly config?: string
  readonly ipset?: string
  readonly flows: number
  readonly mix: Mix
  /** A capture, in the place of flows; its interfaces' names are the devices. */
  readonly traffic?: string
  /** Where the page goes. */
  readonly html?: string
}

/** Throws RefusedError with every complaint, and TunfilterError for files that cannot be used. */
export async function bench(options: BenchOptions): Promise<CostReport> {
  if (options.rules === '-' && options.against === '-')
    throw new TunfilterError('ERR_OPTIONS', 'only one of the two rule files can be standard input')
  const { family = 4 } = options
  const subjects = [options.rules, ...(options.against === undefined ? [] : [options.against])].map((file): Subject => {
    const name = nameOf(file)
    return { name, rules: parseRestore(readText(file), { file: name, family }) }
  })
  const sets = options.ipset === undefined ? undefined : readText(options.ipset)
  const ruleSets = subjects.map(({ rules }) => rules)
  const config = options.config === undefined ? inventRouter(ruleSets) : readConfig(options.config)
  const traffic = trafficOf(options, config, ruleSets)
  const { seconds, scale, kernel, progress } = options
  const report = await costOf(subjects, { config, traffic, sets, seconds, scale, kernel, progress })
  if (options.html !== undefined) writeText(options.html, costPage(report))
  return report
}

function trafficOf(options: BenchOptions, config: RouterConfig, ruleSets: readonly Subject['rules'][]): Traffic {
  if (options.traffic !== undefined)
    return { kind: 'capture', packets: readCapture(options.traffic, ruleSets[0].family, Object.keys(config.devices)) }
  return { kind: 'flows', flows: drawFlows(options.flows, options.mix, config, ruleSets) }
}

/** All packets of a family in a capture. */
function readCapture(file: string, family: Family, devices: readonly string[]): Arrival[] {
  const reader = new PcapngReader(file)
  const packets: Arrival[] = []
  const expected = devices.map((name) => `'${name}'`).join(', ')
  try {
    for (let packet = reader.next(); packet !== undefined; packet = reader.next()) {
      const { name: device, linkType } = packet.interface
      if (device === undefined || !devices.includes(device))
        throw new TunfilterError(
          'ERR_CAPTURE_INTERFACE',
          `${file}: interface ${device === undefined ? 'without a name' : `'${device}'`} is no device: expected ${expected}`,
        )
      if (linkType !== LINKTYPE_RAW && linkType !== LINKTYPE_IPV4)
        throw new TunfilterError(
          'ERR_CAPTURE_INTERFACE',
          `${file}: interface '${device}' has link type ${linkType}: expected 101 (RAW) or 228 (IPV4)`,
        )
      if (packet.data[0] >>> 4 === family && packet.data.length <= LONGEST)
        packets.push({ device, bytes: packet.data.slice() })
    }
  } finally {
    reader.close()
  }
  if (packets.length === 0)
    throw new TunfilterError('ERR_CAPTURE', `${file}: expected packets of IPv${family}, there is none`)
  return packets
}

function writeText(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (cause) {
    throw new TunfilterError('ERR_OUTPUT_FILE', `${file}: ${(cause as Error).message}`, { cause })
  }
}
