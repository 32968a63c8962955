// A fixed share of the generated cases in every run; `npm run test:kernel -- --cases N --seed S` tries as many as wanted.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { PcapngWriter } from '../../../src/device/pcapng/writer.ts'
import { BUILTIN } from '../../../src/iptables/builtin.ts'
import { packetsOf } from '../../support/packet/index.ts'
import { differenceText } from '../compare.ts'
import { needsKernel } from '../with-kernel.ts'
import { runCapture } from './capture.ts'
import { caseOf, caseText } from './case.ts'
import { Judge } from './judge.ts'
import { MATCHES, NO_MATCHES } from './matches.ts'
import { NO_TARGETS, TARGETS } from './targets.ts'

const CAPTURE_CONFIG = {
  devices: { lan: { addresses: ['10.0.1.1/24'] }, wan: { addresses: ['203.0.113.1/24'] } },
}
const SEED = 9000
const CASES = 100

const judges: Judge[] = []
const judge = (silence: number) => {
  const made = new Judge(silence)
  judges.push(made)
  return made
}
afterAll(async () => {
  for (const each of judges) await each.close()
})

describe('generated networks, rules and conversations', () => {
  const [title, options] = needsKernel(
    `${CASES} of them, of IPv4, IPv6 and both, go through the engine as through Linux`,
  )
  // How long a hundred cases take is the machine's affair.
  test(title, { ...options, timeout: 600_000 }, async () => {
    const [quick, patient] = [judge(0.5), judge(20)]
    let packets = 0
    for (let seed = SEED; seed < SEED + CASES; seed++) {
      const one = caseOf(seed, 'both')
      const outcome = await quick.run(one)
      packets += outcome.packets
      if (outcome.differences.length === 0) continue
      // The kernel may only have been slow.
      const { differences } = await patient.run(one)
      if (differences.length > 0) expect.fail(`${caseText(one)}\n${differenceText(differences)}`)
    }
    expect(packets).toBeGreaterThan(4000)
  })

  test(...needsKernel('the packets of a capture go through the engine as through Linux'), async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tunfilter-capture-'))
    try {
      const [capture, config, rules] = ['in.pcapng', 'node.yaml', 'rules.v4'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ]
      const lines: [number, string][] = [
        [0, 'tcp 10.0.1.2:1000 > 203.0.113.9:80 S seq 1'],
        [1, 'tcp 203.0.113.9:80 > 203.0.113.1:1000 S. seq 7 ack 2'],
        [0, 'udp 10.0.1.2:1000 > 203.0.113.9:53 len 2000 split 1500 ipid 7'],
        [0, 'icmp 10.0.1.2 > 10.0.1.1 echo-request id 4 seq 1 len 9'],
        [1, 'udp 203.0.113.9:53 > 203.0.113.1:1000 len 5'],
      ]
      writeFileSync(config, JSON.stringify(CAPTURE_CONFIG))
      writeFileSync(rules, '*nat\n-A POSTROUTING -o wan -j MASQUERADE\nCOMMIT\n')
      const writer = new PcapngWriter(
        capture,
        ['lan', 'wan'].map((name) => ({ name })),
        { resolution: 9 },
      )
      for (const [device, line] of lines) for (const bytes of packetsOf(line)) writer.write(device, 1n, bytes)
      writer.close()
      const outcome = await runCapture({ capture, config, rules }, 3)
      expect(differenceText(outcome.differences)).toBe('')
      expect(outcome.packets).toBe(6)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('rule sets use every match and target with every option, but for those that are left out for a reason', () => {
    const missing = BUILTIN.declarations.flatMap(({ kind, name, options }) => {
      const [used, left] = kind === 'match' ? [MATCHES, NO_MATCHES] : [TARGETS, NO_TARGETS]
      if (left[name] !== undefined) return []
      const uses = used[name]
      if (uses === undefined) return [name]
      // What is not enforced expects not to be used.
      return Object.entries(options)
        .filter(
          ([option, { kind: value }]) => value.expects !== 'not to be used' && left[`${name} ${option}`] === undefined,
        )
        .filter(([option]) => uses.options[option] === undefined)
        .map(([option]) => `${name} --${option}`)
    })
    expect(missing).toEqual([])
  })
})
