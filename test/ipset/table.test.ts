// The table of members against a plain Map: through growth, moves, removals, new filters, and while it is gone through in pieces.

import { describe, expect, test } from 'vitest'
import { recordForm } from '../../src/ipset/records.ts'
import { ALL_HASHES, MemberTable } from '../../src/ipset/table.ts'
import { seededRandom } from '../../src/random.ts'

const key = new Int32Array(1)

function insert(table: MemberTable, value: number): void {
  key[0] = value
  table.insert(key, 32)
}

function has(table: MemberTable, value: number): boolean {
  key[0] = value
  return table.find(key, 32)
}

/** All members, piece by piece; `between` may change the table. */
function walk(table: MemberTable, between: () => void = () => {}): number[] {
  const found: number[] = []
  for (let from = 0; from < ALL_HASHES; ) {
    const { records, slots, next } = table.piece(from)
    for (const slot of slots) found.push(records.words[slot * table.form.stride])
    from = next
    between()
  }
  return found
}

const sorted = (values: Iterable<number>) => [...values].sort((a, b) => a - b)

describe('a table of members', () => {
  test('finds what a Map finds, at each size and while members move', () => {
    const random = seededRandom(7)
    const table = new MemberTable(recordForm(1, 0, 99))
    const model = new Set<number>()
    for (let i = 0; i < 60_000; i++) {
      const value = (random() >>> 0) % 40_000
      // It grows for a while, shrinks for a while: filters are made anew.
      const adds = i % 20_000 < 12_000
      if (has(table, value) !== model.has(value)) throw new Error(`step ${i}: ${value}`)
      if (adds && !model.has(value)) {
        insert(table, value)
        model.add(value)
      } else if (!adds && has(table, value)) {
        table.remove()
        model.delete(value)
      }
    }
    expect(table.count).toBe(model.size)
    for (let value = 0; value < 40_000; value++) if (has(table, value) !== model.has(value)) throw new Error(`${value}`)
    expect(sorted(walk(table))).toEqual(sorted(model))
  })

  test('is gone through without leaving out or repeating a member, at every size up to a thousand', () => {
    for (const seed of [1, 2, 3]) {
      const table = new MemberTable(recordForm(1, 0, seed))
      for (let i = 1; i <= 1000; i++) {
        insert(table, i)
        const found = walk(table)
        if (found.length !== i || new Set(found).size !== i) throw new Error(`${i} members of seed ${seed}`)
      }
    }
  })

  test('is gone through whole while members come, and others move', () => {
    const table = new MemberTable(recordForm(1, 0, 5))
    for (let i = 0; i < 20_000; i++) insert(table, i)
    let next = 20_000
    const found = walk(table, () => {
      for (let i = 0; i < 700; i++) insert(table, next++)
    })
    expect(new Set(found).size).toBe(found.length)
    expect(sorted(found.filter((value) => value < 20_000))).toEqual(Array.from({ length: 20_000 }, (_, i) => i))
  })

  test('goes to members that are there when any will do', () => {
    const random = seededRandom(3)
    const table = new MemberTable(recordForm(1, 0, 5))
    for (let i = 0; i < 13_000; i++) insert(table, i)
    const gone = new Set<number>()
    while (table.count > 0) {
      table.goToAny(random())
      gone.add(table.keyWord(0))
      table.remove()
    }
    expect(gone.size).toBe(13_000)
  })

  test('moves a bounded number of members with each one that comes', () => {
    const table = new MemberTable(recordForm(1, 0, 5))
    const sizes = new Set<number>()
    for (let i = 0; i < 200_000; i++) {
      insert(table, i)
      sizes.add(table.byteLength)
    }
    // Two arrays stand side by side while members move, and one afterwards.
    expect([...sizes].filter((size, i, all) => i > 0 && size < all[i - 1]!).length).toBeGreaterThan(3)
    expect(has(table, 0) && has(table, 199_999)).toBe(true)
  })
})
