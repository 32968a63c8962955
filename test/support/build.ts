// The built command, for tests that run it as a user does. What is built is brought up to date first: a test of something
// older than src/ would say nothing.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

/** Path of dist/cli/main.js. */
export function builtCommand(): string {
  const { status, stdout, stderr } = spawnSync(`${root}scripts/build`, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`scripts/build failed:\n${stdout}${stderr}`)
  return `${root}dist/cli/main.js`
}
