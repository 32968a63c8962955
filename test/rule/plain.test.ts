import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRestore } from '../../src/iptables/restore.ts'
import { Packet } from '../../src/packet/packet.ts'
import { Slab } from '../../src/packet/slab.ts'
import type { MatchFunction } from '../../src/rule/define.ts'
import type { Rule } from '../../src/rule/model.ts'
import { PlainTests } from '../../src/rule/plain.ts'
import { surrounding } from '../match/rule-under-test.ts'

const { env } = surrounding()
const AROUND = { family: 4, table: 'filter', chain: 'FORWARD' } as const

function rule(text: string): Rule {
  const set = parseRestore(`*filter\n-A FORWARD ${text}\nCOMMIT\n`, { file: 'plain', family: 4 })
  return set.tables.get('filter')!.chains.get('FORWARD')!.rules[0]
}

function functions(of: Rule): MatchFunction[] {
  return of.matches.map(({ declaration, options }) => declaration.match(options, env, AROUND))
}

/** What the interpreter makes of the plain tests, for a packet that has a transport header. */
function holds(t: PlainTests, p: Packet): boolean {
  if (p.sport < t.sportMin || p.sport > t.sportMax || p.dport < t.dportMin || p.dport > t.dportMax) return false
  return ((1 << p.ctinfo) & t.states) !== 0 && ((p.mark & t.markMask) === t.mark) !== t.markNot
}

const port = fc.integer({ min: 0, max: 0xffff })
const range = fc.tuple(port, port).map(([a, b]) => `${Math.min(a, b)}:${Math.max(a, b)}`)
const states = fc.subarray(['INVALID', 'NEW', 'ESTABLISHED', 'RELATED', 'UNTRACKED'], { minLength: 1 })
const not = fc.constantFrom('', '! ')
const rules = fc.oneof(
  fc
    .tuple(fc.constantFrom('udp', 'tcp'), range, range)
    .map(([l4, s, d]) => `-p ${l4} -m ${l4} --sport ${s} --dport ${d}`),
  fc.tuple(not, states).map(([n, s]) => `-m state ${n}--state ${s}`),
  fc.tuple(not, states).map(([n, s]) => `-m conntrack ${n}--ctstate ${s}`),
  fc
    .tuple(not, fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 255 }))
    .map(([n, v, m]) => `-m mark ${n}--mark ${v & m}/${m}`),
)

describe('plain tests', () => {
  test('say what the match function says', () => {
    const p = new Packet(new Slab(1))
    let stood = 0
    fc.assert(
      fc.property(
        rules,
        port,
        port,
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 255 }),
        (text, sport, dport, ctinfo, mark) => {
          const one = rule(text)
          const plain = new PlainTests(one.matches)
          expect(plain.count).toBe(1)
          p.begin(64, 40, 2)
          Object.assign(p, { transport: 84, sport, dport, ctinfo, mark })
          const said = functions(one)[0](p) === 1
          expect(holds(plain, p)).toBe(said)
          if (said) stood++
        },
      ),
      { numRuns: 2000 },
    )
    expect(stood).toBeGreaterThan(100)
  })

  test('stop at a match that counts, so that it is asked before what stands behind it', () => {
    const plain = new PlainTests(rule('-p udp -m state --state NEW -m limit --limit 1/s -m udp --dport 53').matches)
    expect(plain.count).toBe(1)
    expect(plain.ports).toBe(false)
  })

  test('leave what is negated, or asked twice, to the match function', () => {
    expect(new PlainTests(rule('-p udp -m udp ! --dport 53').matches).count).toBe(0)
    expect(new PlainTests(rule('-p tcp -m tcp --dport 53 --syn').matches).count).toBe(0)
    expect(new PlainTests(rule('-m state --state NEW -m conntrack --ctstate NEW,ESTABLISHED').matches).count).toBe(1)
  })
})
