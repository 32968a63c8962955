// Every scenario through the real kernel: what the file expects is what Linux does; and then the same packets through the engine,
// compared with what the kernel did, packet by packet. See README.md.

import { describe, expect, test } from 'vitest'
import { EngineSubject } from '../support/scenario/engine.ts'
import { scenarios, show } from '../support/scenario/files.ts'
import { disagreementText, runScenario, type StepResult } from '../support/scenario/run.ts'
import type { Scenario } from '../support/scenario/scenario.ts'
import { compareRuns, differenceText } from './compare.ts'
import { KernelRig } from './rig.ts'
import { needsKernel } from './with-kernel.ts'

/** A rig that could not keep its pauses, on a busy machine, says nothing about the kernel: the scenario is played again. */
const LATE = 100
const TRIES = 4

async function runInTime(scenario: Scenario): Promise<StepResult[]> {
  for (let attempt = 1; ; attempt++) {
    const rig = await KernelRig.open(scenario.config)
    try {
      const results = await runScenario(scenario, rig)
      if (rig.late < LATE || attempt === TRIES) return results
    } finally {
      await rig.close()
    }
  }
}

describe.each(scenarios().map((scenario) => [scenario.name, scenario] as const))('%s', (_name, scenario) => {
  let kernel: StepResult[] = []

  test(...needsKernel('the kernel does what the scenario says'), async () => {
    kernel = await runInTime(scenario)
    show('kernel', scenario, kernel)
    expect(disagreementText(kernel)).toBe('')
  })

  test(...needsKernel('the engine does what the kernel does'), async () => {
    const subject = new EngineSubject(scenario.config)
    try {
      expect(differenceText(compareRuns(kernel, await runScenario(scenario, subject)))).toBe('')
    } finally {
      subject.close()
    }
  })
})
