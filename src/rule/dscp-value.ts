// Values of the differentiated services field by number and by class (RFC 2474, 2597, 3246), for match dscp and target DSCP.

import { parseNumber } from './number.ts'
import { unexpected, word } from './option.ts'

const classes: Record<string, number> = { BE: 0, EF: 0x2e }
for (let i = 0; i < 8; i++) classes[`CS${i}`] = i << 3
for (let i = 1; i < 5; i++) for (let j = 1; j < 4; j++) classes[`AF${i}${j}`] = (i << 3) | (j << 1)

const EXPECTS_NUMBER = 'a number from 0 to 63'
const EXPECTS_CLASS = `one of ${Object.keys(classes).join(', ')}`

export function formatDscp(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`
}

export const dscpNumber = word<number>(
  EXPECTS_NUMBER,
  (text) => parseNumber(text, 63) ?? unexpected(text, EXPECTS_NUMBER),
  formatDscp,
)

export const dscpClass = word<number>(
  EXPECTS_CLASS,
  (text) => classes[text.toUpperCase()] ?? unexpected(text, EXPECTS_CLASS),
  formatDscp,
)
