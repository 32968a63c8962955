import { expect, test } from 'vitest'
import { splitWords } from '../../src/iptables/lexer.ts'

const texts = (line: string) => splitWords(line).map((word) => word.text)

test('blanks and tabs separate words, and columns count from 1', () => {
  expect(splitWords('-A  INPUT\t-j DROP ')).toEqual([
    { text: '-A', column: 1 },
    { text: 'INPUT', column: 5 },
    { text: '-j', column: 11 },
    { text: 'DROP', column: 14 },
  ])
})

test('a double quote holds blanks, may begin inside a word, and ends the word', () => {
  expect(texts('a "b  c" d"e f"g')).toEqual(['a', 'b  c', 'de f', 'g'])
  expect(texts('a "" b')).toEqual(['a', '', 'b'])
})

test('a backslash takes the next character inside quotes only', () => {
  expect(texts('"a\\"b\\\\c\\d" e\\f')).toEqual(['a"b\\cd', 'e\\f'])
})

test('single quotes are ordinary', () => {
  expect(texts("'a b'")).toEqual(["'a", "b'"])
})

test('a quote that is not closed holds the rest of the line with its end', () => {
  expect(splitWords('a "b c')).toEqual([
    { text: 'a', column: 1 },
    { text: 'b c\n', column: 3, open: true },
  ])
})

test('words can be read from within a line and keep their columns', () => {
  expect(splitWords('[1:2] -A', 5)).toEqual([{ text: '-A', column: 7 }])
})
