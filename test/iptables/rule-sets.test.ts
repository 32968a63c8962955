// Rule sets as distributions, firewall programs and container platforms write them (rule-sets/NAME.v4 and NAME.v6) are saved and listed here as
// the real tools do it.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { applyCommand } from '../../src/iptables/apply.ts'
import { type Program, programOf } from '../../src/iptables/program.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { save } from '../../src/iptables/save.ts'
import { needsIpset } from '../ipset/real-ipset.ts'
import { judge, tablesOf } from './real-tools.ts'

const folder = fileURLToPath(new URL('rule-sets/', import.meta.url))

/** The sets that they name. */
const SETS = [
  'blocked hash:ip',
  'cali40masq-ipam-pools hash:net',
  'cali40all-ipam-pools hash:net',
  'cali40s:abc hash:net',
  'cali40all-hosts-net hash:net',
  'KUBE-LOAD-BALANCER hash:ip,port',
  'KUBE-CLUSTER-IP hash:ip,port',
  'KUBE-NODE-PORT-TCP bitmap:port range 0-65535',
]

/** Addresses are not looked up here: those forms that do are left out. */
const FORMS = ['-nL', '-nvxL --line-numbers', '-S', '-v -S']

describe.each([4, 6] as const)('IPv%i', (family) => {
  const files = readdirSync(folder).filter((name) => name.endsWith(`.v${family}`))
  const texts = files.map((name) => readFileSync(folder + name, 'utf8'))

  test(...needsIpset('rule sets of the real world are saved as the real tools save them'), () => {
    const judged = judge(texts, { family, before: SETS.map((set) => `ipset create ${set}\n`).join('') })
    const here = texts.map((text, i) => ({
      name: files[i],
      saved: tablesOf(save(parseRestore(text, { file: files[i], family }))),
    }))
    expect(here).toEqual(judged.map((one, i) => ({ name: files[i], ...one })))
  })

  test(...needsIpset('they are listed in each form as the real tools list them'), () => {
    const tool = family === 4 ? 'iptables' : 'ip6tables'
    const folder = mkdtempSync(join(tmpdir(), 'tunfilter-rule-sets-'))
    try {
      for (const [i, text] of texts.entries()) {
        const tables = [...new Set(text.match(/^\*\w+/gm)?.map((line) => line.slice(1)))]
        const calls = tables.flatMap((table) => FORMS.map((form) => `-t ${table} ${form}`))
        const script = [
          `export XTABLES_LOCKFILE=${folder}/lock`,
          ...SETS.map((set) => `ipset create ${set}`),
          `${tool}-legacy-restore < ${folder}/rules`,
          ...calls.map((call) => `echo "$ ${call}"; ${tool}-legacy ${call}`),
        ]
        writeFileSync(join(folder, 'rules'), text)
        const real = spawnSync('unshare', ['-n', 'sh', '-c', script.join('\n')], { encoding: 'utf8' }).stdout
        const ruleSet = parseRestore(text, { file: files[i], family })
        const program = programOf(tool) as Program
        const here = calls.map((call) => `$ ${call}\n${applyCommand(ruleSet, call.split(' '), { program }).stdout}`)
        expect(`${files[i]}\n${here.join('')}`).toBe(`${files[i]}\n${real}`)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
