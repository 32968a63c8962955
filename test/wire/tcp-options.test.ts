import { expect, test } from 'vitest'
import { CUT_OFF, firstOption, NO_OPTION, nextOption, optionStep } from '../../src/wire/tcp-options.ts'

/** Places of the options of a header with these option bytes, counted from the first, and how the list ends. */
function placesOf(...bytes: number[]): number[] {
  const view = new DataView(Uint8Array.from([...new Array(20).fill(0), ...bytes, 2, 4, 5, 180]).buffer)
  const end = 20 + bytes.length
  const places: number[] = []
  let at = firstOption(view, 0, end)
  for (; at >= 0; at = nextOption(view, at, end)) places.push(at - 20)
  return [...places, at]
}

test('goes from option to option, over padding, up to the end of the list or of the header', () => {
  expect(placesOf()).toEqual([NO_OPTION])
  expect(placesOf(1, 1, 1)).toEqual([NO_OPTION])
  expect(placesOf(2, 4, 5, 180, 1, 3, 3, 7)).toEqual([0, 5, NO_OPTION])
  expect(placesOf(4, 2, 0, 3, 3, 7)).toEqual([0, NO_OPTION])
})

test('stops at an option that is cut off or says a length that none has, and never looks behind the header', () => {
  expect(placesOf(4, 2, 3)).toEqual([0, CUT_OFF])
  expect(placesOf(3, 3)).toEqual([CUT_OFF])
  expect(placesOf(4, 2, 8, 1, 1)).toEqual([0, CUT_OFF])
  expect(placesOf(8, 0, 1)).toEqual([CUT_OFF])
})

test("Linux's targets take one byte for padding, for the end, and for what says that it has no length", () => {
  const step = (...bytes: number[]) => optionStep(new DataView(Uint8Array.from(bytes).buffer), 0)
  expect([step(0, 9), step(1, 9), step(3, 0), step(3, 1), step(2, 4)]).toEqual([1, 1, 1, 1, 4])
})
