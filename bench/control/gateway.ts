// A running gateway without devices, for what its control socket does.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Running, run, start, until } from '../path/programs.ts'
import { ROOT } from '../root.ts'

export interface Gateway {
  readonly running: Running
  /** For files; gone afterwards. */
  readonly folder: string
  /** The drop-ins under the real names. */
  readonly bin: string
  /** The environment in which they, and the real tools, are called. */
  readonly env: NodeJS.ProcessEnv
}

/** Ends the gateway when `use` has ended, however it does. */
export async function withGateway<T>(use: (gateway: Gateway) => Promise<T> | T): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'tunfilter-bench-'))
  let running: Running | undefined
  try {
    const socket = join(folder, 'socket')
    const main = join(ROOT, 'dist/cli/main.js')
    const config = join(folder, 'gateway.yaml')
    writeFileSync(config, 'devices: {}\n')
    const up = start(process.execPath, main, 'up', '--config', config, '--control', socket)
    running = up
    await until(
      () => up.errors().includes('started'),
      10,
      () => `the gateway did not start: ${up.errors()}`,
    )
    const bin = join(folder, 'bin')
    await run(process.execPath, main, 'link', bin)
    const env = { ...process.env, TUNFILTER_CONTROL: socket, XTABLES_LOCKFILE: join(folder, 'lock') }
    return await use({ running, folder, bin, env })
  } finally {
    await running?.stop()
    rmSync(folder, { recursive: true })
  }
}
