// In continuous integration properties are tried with the same values every time, so that a change is not held up by
// what another one did; everywhere else with new ones.

import fc from 'fast-check'

if (process.env.CI) fc.configureGlobal({ seed: 20261121 })
