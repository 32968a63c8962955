// One line of a rule file into words, as iptables-restore splits it: blanks separate; double quotes hold a word together,
// a backslash takes the next character as it is inside them and is an ordinary character outside; a closing quote ends the
// word. Single quotes are ordinary characters.

export interface Word {
  readonly text: string
  /** Of the word's first character (its quote, if it has one), counted from 1. */
  readonly column: number
}

export interface LexProblem {
  readonly column: number
  readonly message: string
}

/** @param from index in the line at which to begin */
export function splitWords(line: string, from = 0): Word[] | LexProblem {
  const words: Word[] = []
  let text = ''
  let start = -1
  let quote = -1
  const end = () => {
    words.push({ text, column: start + 1 })
    text = ''
    start = -1
  }
  for (let i = from; i < line.length; i++) {
    const c = line[i]
    if (quote >= 0) {
      if (c === '\\' && i + 1 < line.length) text += line[++i]
      else if (c !== '"') text += c
      else {
        quote = -1
        end()
      }
    } else if (c === ' ' || c === '\t') {
      if (start >= 0) end()
    } else {
      if (start < 0) start = i
      if (c === '"') quote = i
      else text += c
    }
  }
  if (quote >= 0) return { column: quote + 1, message: 'the quote that begins here is not closed on its line' }
  if (start >= 0) end()
  return words
}
