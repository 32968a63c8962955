// A line of a restore file into words, as ipset splits it: blanks separate, double quotes keep blanks from doing so and are
// taken away wherever they stand; a quote that is not closed takes its word with it, and an empty word is none.

export interface LineWord {
  readonly text: string
  /** Counted from 1. */
  readonly column: number
}

export function wordsOfLine(line: string): LineWord[] {
  const words: LineWord[] = []
  let at = 0
  while (at < line.length) {
    while (at < line.length && isBlank(line.charCodeAt(at))) at++
    const start = at
    let text = ''
    let from = at
    let quoted = false
    for (; at < line.length; at++) {
      const c = line.charCodeAt(at)
      if (c === QUOTE) {
        text += line.slice(from, at)
        from = at + 1
        quoted = !quoted
      } else if (!quoted && isBlank(c)) break
    }
    text += line.slice(from, at)
    if (text !== '' && !quoted) words.push({ text, column: start + 1 })
  }
  return words
}

const QUOTE = 0x22

function isBlank(c: number): boolean {
  return c === 0x20 || (c >= 0x09 && c <= 0x0d)
}
