// A capture as what hosts say: its packets, one after the other, through the kernel and the engine. Packets of an interface come in by the
// device of that name; those of interfaces without one by the first device. Times are not kept: the kernel has only its own.

import { readFileSync } from 'node:fs'
import { LINKTYPE_IPV4, LINKTYPE_RAW } from '../../../src/device/pcapng/blocks.ts'
import { PcapngReader } from '../../../src/device/pcapng/reader.ts'
import { parseConfig } from '../../../src/gateway/config.ts'
import { describePacket } from '../../support/packet/index.ts'
import { EngineSubject } from '../../support/scenario/engine.ts'
import {
  Correspondence,
  compareConntrack,
  compareCounters,
  compareLines,
  compareSent,
  type Difference,
} from '../compare.ts'
import { KernelRig } from '../rig.ts'

export interface CaptureCase {
  /** The capture, pcapng or pcap, of link type RAW or Ethernet. */
  readonly capture: string
  /** A configuration as `tunfilter replay` takes it. */
  readonly config: string
  /** Files of iptables-save and ip6tables-save; no rules where they are left out. */
  readonly rules?: string
  readonly rules6?: string
}

export interface CaptureOutcome {
  readonly packets: number
  /** Packets of the file that are of no IP, and so came in nowhere. */
  readonly passedOver: number
  /** Those of the first packet that went different ways, or of what was there in the end. */
  readonly differences: readonly Difference[]
}

const ETHERNET = 1
const ETHERNET_HEADER = 14

/** The packet's IP bytes; undefined for what is none. */
export function ipOf(data: Uint8Array, linkType: number): Uint8Array | undefined {
  if (linkType === LINKTYPE_RAW || linkType === LINKTYPE_IPV4) return data
  if (linkType !== ETHERNET || data.length < ETHERNET_HEADER) return undefined
  const type = (data[12]! << 8) | data[13]!
  return type === 0x0800 || type === 0x86dd ? data.subarray(ETHERNET_HEADER) : undefined
}

/** @param silence milliseconds without a packet after which the kernel is taken to have said all */
export async function runCapture(given: CaptureCase, silence: number): Promise<CaptureOutcome> {
  const config = parseConfig(readFileSync(given.config, 'utf8'), given.config)
  const names = Object.keys(config.devices)
  const texts = ([4, 6] as const).map((family) => {
    const file = family === 4 ? given.rules : given.rules6
    return [family, file === undefined ? '' : readFileSync(file, 'utf8')] as const
  })
  const rig = await KernelRig.open(config, { silence, patience: silence })
  const engine = new EngineSubject(config)
  const reader = new PcapngReader(given.capture)
  const pairs = new Correspondence()
  const differences: Difference[] = []
  let [packets, passedOver] = [0, 0]
  try {
    for (const [family, text] of texts) {
      if (text === '') continue
      await rig.load(text, family)
      engine.load(text, family)
    }
    let passed = performance.now()
    for (let captured = reader.next(); captured !== undefined && differences.length === 0; captured = reader.next()) {
      const bytes = ipOf(captured.data, captured.interface.linkType)?.slice()
      if (bytes === undefined) {
        passedOver++
        continue
      }
      const { name } = captured.interface
      const device = name !== undefined && names.includes(name) ? name : names[0]!
      packets++
      const left = rig.exchange(device, [bytes], 0)
      const now = performance.now()
      engine.pause(Math.round(now - passed))
      passed += Math.round(now - passed)
      const ours = engine.exchange(device, [pairs.translate(bytes)])
      differences.push(
        ...compareSent(`packet ${packets} of ${given.capture}: ${device} ${describePacket(bytes)}`, left, ours, pairs),
      )
    }
    if (differences.length === 0) {
      for (const [family, text] of texts)
        if (text !== '')
          differences.push(
            ...compareCounters(`counters of IPv${family}`, await rig.counters(family), engine.counters(family)),
          )
      differences.push(...compareConntrack('flows', await rig.conntrack(), engine.conntrack(), pairs, 2))
      const log = rig.log()?.map((line) => pairs.text(pairs.logged(line)))
      if (log !== undefined)
        differences.push(
          ...compareLines(
            'log',
            log,
            engine.log().map((line) => pairs.logged(line)),
          ),
        )
    }
  } finally {
    reader.close()
    engine.close()
    await rig.close()
  }
  return { packets, passedOver, differences }
}
