// Every scenario of this folder through the engine. test/kernel/ runs the same files through Linux.

import { describe, expect, test } from 'vitest'
import { EngineSubject } from '../support/scenario/engine.ts'
import { scenarios, show } from '../support/scenario/files.ts'
import { disagreementText, runScenario } from '../support/scenario/run.ts'

describe('the engine does what the scenario says:', () => {
  for (const scenario of scenarios())
    test(scenario.name, async () => {
      const subject = new EngineSubject(scenario.config)
      try {
        const results = await runScenario(scenario, subject)
        show('engine', scenario, results)
        expect(disagreementText(results)).toBe('')
      } finally {
        subject.close()
      }
    })
})
