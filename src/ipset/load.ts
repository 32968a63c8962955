// A file of sets in ipset-save form, judged as a whole: every line that is wrong is complained of at its place, with what was
// expected there. For `tunfilter check --ipset`, and for a gateway's sets on start: all of them or none.

import { type Complaint, RefusedError } from '../errors.ts'
import { Time } from '../time.ts'
import { LINE_MAX } from './command.ts'
import { readElement, refuseRanges } from './element.ts'
import { SetError } from './fault.ts'
import { memberOptionNames, readMemberOptions } from './member-options.ts'
import type { Names } from './names.ts'
import { readSettings } from './settings.ts'
import { SetStore } from './store.ts'
import { SET_TYPES, setType } from './type.ts'
import { createForm, memberForm } from './usage.ts'
import { setName, syntax } from './words.ts'
import { type LineWord, wordsOfLine } from './words-of-line.ts'

/** A store in which sets are only judged: it needs neither time nor chance. */
export function storeToJudge(names: Names): SetStore {
  return new SetStore({ names, time: new Time(), random: () => 0x5bd1e995 })
}

/**
 * Adds the sets of a file to those that are there, all of them or none.
 * @throws RefusedError with every complaint about the file
 */
export function loadSets(store: SetStore, text: string, file: string): void {
  const complaints: Complaint[] = []
  store.atomically(() => {
    let line = 0
    for (let at = 0; at < text.length; ) {
      const end = text.indexOf('\n', at)
      const stop = end < 0 ? text.length : end
      line++
      const wrong = readLine(text.slice(at, stop), store)
      if (wrong !== undefined) complaints.push({ file, line, ...wrong })
      at = stop + 1
    }
    if (complaints.length > 0) throw new RefusedError('ERR_SETS', complaints)
  })
}

type Wrong = Pick<Complaint, 'column' | 'message'>

function readLine(line: string, store: SetStore): Wrong | undefined {
  if (line.length > LINE_MAX) return { column: 1, message: `the line is longer than ${LINE_MAX} characters` }
  const nul = line.indexOf('\0')
  if (nul >= 0) return { column: nul + 1, message: 'there is a NUL byte here' }
  const words = wordsOfLine(line)
  if (words.length === 0 || words[0].text[0] === '#') return undefined
  const [command, name, what, ...rest] = words
  const missing = (expected: string) => ({
    column: line.length + 1,
    message: `the line ends here: expected ${expected}`,
  })
  const texts = rest.map((word) => word.text)
  let expected = ''
  try {
    switch (command.text) {
      case 'create': {
        expected = 'create SETNAME TYPE [options]'
        if (what === undefined) return missing(expected)
        setName(name.text)
        const type = setType(what.text)
        expected = `one of ${SET_TYPES.map((each) => each.name).join(', ')}`
        if (type === undefined) throw syntax(`typename '${what.text}' is unknown`, what.text)
        expected = `create SETNAME ${type.name} ${createForm(type)}`
        store.create(name.text, readSettings(type, texts, store.names, store.random))
        return undefined
      }
      case 'add': {
        expected = 'add SETNAME MEMBER [options]'
        if (what === undefined) return missing(expected)
        expected = 'the name of a set that a line before this one creates'
        const { settings } = store.get(name.text).set
        expected = memberForm(settings.type)
        const element = readElement(what.text, settings, store.names, 'add')
        refuseRanges(element, settings, 'add')
        expected = `options of ${memberOptionNames(settings.type)}`
        const extras = readMemberOptions(texts, settings.type, 'add', element)
        expected = ''
        store.add(name.text, element, extras)
        return undefined
      }
      default:
        return { column: command.column, message: `'${command.text}' cannot stand here: expected create or add` }
    }
  } catch (error) {
    if (!(error instanceof SetError)) throw error
    return { column: columnOf(error, words, line), message: worded(error, expected) }
  }
}

/** Of the word that the error is about; an element's part is looked for within it. */
function columnOf({ word }: SetError, words: readonly LineWord[], line: string): number {
  if (word !== undefined) {
    const whole = words.slice(1).find(({ text }) => text === word)
    if (whole !== undefined) return whole.column
    const within = line.indexOf(word, words[1]?.column ?? 0)
    if (within >= 0) return within + 1
  }
  return (words[2] ?? words[1] ?? words[0]).column
}

function worded({ message, word }: SetError, expected: string): string {
  const plain = message.replaceAll('Syntax error: ', '').replaceAll('\n', '; ')
  const named = word === undefined || plain.includes(word) ? plain : `'${word}': ${plain}`
  return expected === '' ? named : `${named}: expected ${expected}`
}
