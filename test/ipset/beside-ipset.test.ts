// What a command does here is what it does with the real ipset: exit status, messages, and what the sets hold afterwards.
// The order of a hash's members is the kernel's own, so lines are compared sorted.

import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type IpsetResult, runIpset } from '../../src/ipset/command.ts'
import { CREATE } from './cases/create.ts'
import { ELEMENTS } from './cases/elements.ts'
import { OPTIONS } from './cases/options.ts'
import { CONVERSATIONS, RESTORES } from './cases/restores.ts'
import { TYPES } from './cases/types.ts'
import { commands } from './generate.ts'
import { type Asked, askReal, needsIpset } from './real-ipset.ts'
import { newStore } from './sets.ts'

interface Said {
  readonly status: number
  readonly printed: readonly string[]
  readonly told: readonly string[]
}

/** Lines without what no two runs have in common: sizes, seeds, and times, which go on there and stand still here. */
function comparable(text: string): string[] {
  return (
    text
      .replace(/initval(>| )0x[0-9a-f]{8}/g, 'initval$1X')
      // The real one prints what happens to stand in memory behind some of these masks.
      .replace(/(bitmask[ >][0-9a-f.:]+)\/\d+/g, '$1')
      .replace(/Size in memory: \d+|<memsize>\d+/g, 'SIZE')
      .replace(/timeout(>| )(\d+)/g, (_, before: string, n: string) => `timeout${before}${n === '0' ? 0 : 'T'}`)
      .split('\n')
      .filter((line) => line !== '')
      .sort()
  )
}

/** The first command that the two answer differently, with those before it. */
function difference(asked: readonly Asked[]): unknown {
  const store = newStore()
  const real = askReal(asked)
  const said = ({ status, stdout, stderr }: IpsetResult): Said => ({
    status,
    printed: comparable(stdout),
    told: comparable(stderr),
  })
  for (const [i, { argv, stdin }] of asked.entries()) {
    const here = said(runIpset(store, argv, { ...(stdin !== undefined && { stdin }) }))
    if (!isDeepStrictEqual(here, said(real[i])))
      return { commands: asked.slice(0, i + 1).map((each) => each.argv.join(' ')), here, real: said(real[i]) }
  }
  return undefined
}

describe('the real ipset agrees', () => {
  test(...needsIpset('on commands, what they print, and how they fail'), () => {
    for (const group of [CREATE, ELEMENTS, TYPES, OPTIONS]) {
      const asked = group.map((argv) => ({ argv }))
      expect(difference([...asked, { argv: ['save'] }])).toBeUndefined()
    }
  })

  test(...needsIpset('on restore'), () => {
    for (const stdin of RESTORES) {
      const save = { argv: ['save'] }
      const found = difference([{ argv: ['restore'], stdin }, save, { argv: ['-exist', 'restore'], stdin }, save])
      expect({ stdin, found }).toEqual({ stdin, found: undefined })
    }
  })

  test(...needsIpset('on what a person types behind it'), () => {
    for (const stdin of CONVERSATIONS)
      expect(difference([{ argv: ['-'], stdin }, { argv: ['save'] }]), stdin).toBeUndefined()
  })

  test(...needsIpset('on generated commands'), () => {
    const cases = fc.sample(commands, { numRuns: Number(process.env.GEN ?? 25), seed: Number(process.env.SEED ?? 5) })
    for (const each of cases) {
      expect(difference([...each.map((argv) => ({ argv })), { argv: ['save'] }, { argv: ['list'] }])).toBeUndefined()
    }
  })

  test(...needsIpset('on the names of ICMP types and codes'), () => {
    const lines = ['create p hash:ip,port maxelem 10000', 'create q hash:ip,port family inet6 maxelem 10000']
    for (let type = 0; type < 20; type++)
      for (let code = 0; code < 17; code++) lines.push(`add p 10.0.0.1,icmp:${type}/${code}`)
    for (const type of [0, 1, 2, 3, 4, 5, 127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138])
      for (let code = 0; code < 9; code++) lines.push(`add q fe80::1,icmpv6:${type}/${code}`)
    expect(difference([{ argv: ['restore'], stdin: lines.join('\n') }, { argv: ['save'] }])).toBeUndefined()
  })
})
