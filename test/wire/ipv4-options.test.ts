import fc from 'fast-check'
import { expect, it } from 'vitest'
import { checkOptions, OPTIONS_FINE, SOURCE_ROUTED } from '../../src/wire/ipv4-options.ts'
import { bytesOf } from '../support/packet/index.ts'

function check(hex: string): number {
  const options = bytesOf(hex)
  const view = new DataView(new ArrayBuffer(20 + options.length))
  options.forEach((byte, i) => {
    view.setUint8(20 + i, byte)
  })
  return checkOptions(view, 0, 20 + options.length)
}

it('well-formed options are fine', () => {
  expect(check('01010100')).toBe(OPTIONS_FINE)
  // Nothing behind the end counts.
  expect(check('00ffffff')).toBe(OPTIONS_FINE)
  expect(check('94040000')).toBe(OPTIONS_FINE)
  expect(check('0707040000000000')).toBe(OPTIONS_FINE)
  expect(check('440c05000000000000000000')).toBe(OPTIONS_FINE)
})

it('source routes are recognised', () => {
  expect(check('8307040a00010900')).toBe(SOURCE_ROUTED)
  expect(check('8907040a00010900')).toBe(SOURCE_ROUTED)
  expect(check('018307040a000109')).toBe(SOURCE_ROUTED)
})

it('what is wrong is pointed at', () => {
  expect(check('07ff0400')).toBe(20)
  expect(check('01010107')).toBe(23)
  expect(check('94010000')).toBe(20)
  expect(check('07020000')).toBe(21)
  expect(check('0707030000000000')).toBe(22)
  expect(check('44040400')).toBe(22)
})

it('nothing is read behind the header, whatever it says', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (options) => {
      const length = 20 + (options.length & ~3)
      // The view ends where the header ends, so that a read behind it throws.
      const view = new DataView(new ArrayBuffer(length))
      for (let i = 20; i < length; i++) view.setUint8(i, options[i - 20]!)
      const said = checkOptions(view, 0, length)
      expect(said === OPTIONS_FINE || said === SOURCE_ROUTED || (said >= 20 && said < length)).toBe(true)
    }),
    { numRuns: 2000 },
  )
})
