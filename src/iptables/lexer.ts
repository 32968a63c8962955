// One line of a rule file into words, as iptables-restore splits it: blanks separate; double quotes hold a word together,
// a backslash takes the next character as it is inside them and is an ordinary character outside; a closing quote ends the
// word. Single quotes are ordinary characters. A quote that is not closed holds everything up to and with the line's end:
// there are comments like that in saved rule sets, and nothing else takes a word with a line break in it.

export interface Word {
  readonly text: string
  /** Of the word's first character (its quote, if it has one), counted from 1. */
  readonly column: number
  /** Its quote is not closed. */
  readonly open?: true
}

/** From this length on a part of a text keeps the whole text in memory. */
const SLICED = 13

/** The same text as one that nothing else hangs on: words are kept, and a file that is read should not be. */
export function owned(text: string): string {
  return text.length < SLICED ? text : Buffer.from(text).toString()
}

/** @param from index in the line at which to begin */
export function splitWords(line: string, from = 0): Word[] {
  const words: Word[] = []
  let text = ''
  let start = -1
  let quoted = false
  const end = () => {
    words.push({ text: owned(text), column: start + 1 })
    text = ''
    start = -1
  }
  for (let i = from; i < line.length; i++) {
    if (start < 0) {
      // Most words are plain: they are cut out of the line as they are.
      const stop = endOfPlain(line, i)
      if (stop > i && (stop === line.length || line[stop] !== '"')) {
        words.push({ text: owned(line.slice(i, stop)), column: i + 1 })
        i = stop
        continue
      }
    }
    const c = line[i]
    if (quoted) {
      if (c === '\\') text += line[++i] ?? ''
      else if (c !== '"') text += c
      else {
        quoted = false
        end()
      }
    } else if (c === ' ' || c === '\t') {
      if (start >= 0) end()
    } else {
      if (start < 0) start = i
      if (c === '"') quoted = true
      else text += c
    }
  }
  if (quoted) words.push({ text: `${text}\n`, column: start + 1, open: true })
  else if (start >= 0) end()
  return words
}

/** Behind the letters from `at` on that are neither blanks nor quotes. */
function endOfPlain(line: string, at: number): number {
  let end = at
  for (; end < line.length; end++) {
    const c = line.charCodeAt(end)
    if (c === 32 || c === 9 || c === 34) break
  }
  return end
}
