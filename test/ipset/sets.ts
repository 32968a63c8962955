// A store for tests: virtual time, a seeded generator, the real tables of names.

import { runIpset } from '../../src/ipset/command.ts'
import { SetStore } from '../../src/ipset/store.ts'
import { seededRandom } from '../../src/random.ts'
import { protocolName, protocolNumber, servicePort } from '../../src/rule/names.ts'
import { Time } from '../../src/time.ts'

export const NAMES = { protocolName, protocolNumber, servicePort }

export function newStore(seed = 1): SetStore {
  return new SetStore({ time: new Time(), random: seededRandom(seed), names: NAMES })
}

/** Runs commands that must succeed, words separated by blanks; @returns what was printed */
export function run(store: SetStore, ...commands: string[]): string {
  let printed = ''
  for (const command of commands) {
    const { status, stdout, stderr } = runIpset(store, command.split(' '))
    if (status !== 0) throw new Error(`ipset ${command}: ${stderr}`)
    printed += stdout
  }
  return printed
}

/** The error of a command that fails, without the program's name. */
export function refusal(store: SetStore, command: string): string {
  const { status, stderr } = runIpset(store, command.split(' '))
  return status === 0 ? 'done' : stderr.replace('ipset v7.17: ', '').trimEnd()
}
