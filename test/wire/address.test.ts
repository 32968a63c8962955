import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatAddress, maskOf, parseAddress, prefixLengthOf } from '../../src/wire/address.ts'

it('what is printed is read back, as int32', () => {
  fc.assert(
    fc.property(fc.integer(), (address) => {
      expect(parseAddress(formatAddress(address))).toBe(address)
    }),
  )
  expect(parseAddress('255.255.255.255')).toBe(-1)
  expect(parseAddress('128.0.0.0')).toBe(-0x80000000)
})

it('only four decimal parts are an address', () => {
  for (const text of [
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '1.2.3.-4',
    '0x1.2.3.4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1..3.4',
  ])
    expect(parseAddress(text), text).toBeUndefined()
})

it('masks and prefix lengths determine each other', () => {
  for (let length = 0; length <= 32; length++) {
    expect(maskOf(length) >>> 0).toBe(Number((0xffffffffn << BigInt(32 - length)) & 0xffffffffn))
    expect(prefixLengthOf(maskOf(length))).toBe(length)
  }
})

it('a mask with holes has no prefix length', () => {
  for (const text of ['255.0.255.0', '0.0.0.1', '127.255.255.255', '255.255.255.253'])
    expect(prefixLengthOf(parseAddress(text)!), text).toBeUndefined()
})
