// One use of a match or target while its rule is being read: options given so far, and what is said of them at the end of
// the rule. What always holds: a value is stored only if its kind took it.

import {
  type MatchDeclaration,
  NotTaken,
  type Options,
  type OptionValues,
  type Surroundings,
  type TargetDeclaration,
} from '../rule/define.ts'
import { protocolName } from '../rule/names.ts'
import { type Option, type ParseContext, Problem, type RefusedBy } from '../rule/option.ts'
import type { Word } from './lexer.ts'

/** @param by where it is not the words that are wrong but the kernel would not take the rule: that is another exit status */
export type Complain = (column: number, message: string, by?: RefusedBy) => void

export type ExtensionDeclaration = MatchDeclaration | TargetDeclaration

export class Extension {
  readonly declaration: ExtensionDeclaration
  /** Where `-m NAME` or `-j NAME` stands, or the option that brought a protocol's match in. */
  readonly word: Word
  readonly #values: Record<string, unknown> = {}
  readonly #given: string[] = []

  constructor(declaration: ExtensionDeclaration, word: Word) {
    this.declaration = declaration
    this.word = word
  }

  /** Takes one option. @param values its words  @param name as it was written, for messages */
  give(
    key: string,
    name: Word,
    values: readonly Word[],
    not: boolean,
    context: ParseContext,
    complain: Complain,
  ): void {
    const option = this.declaration.options[key] as Option<unknown>
    const { repeats, renews } = option.traits
    if (this.#given.includes(key) && !repeats && renews.length === 0)
      return complain(name.column, `--${key} is given twice for ${this.#title()}`)
    for (const group of this.declaration.exclusive ?? []) {
      const other = group.includes(key) ? group.find((one) => this.#given.includes(one)) : undefined
      if (other !== undefined) return complain(name.column, `--${key} and --${other} cannot stand together`)
    }
    if (!this.#given.includes(key)) this.#given.push(key)
    if (not && !option.traits.negated) return complain(name.column, `! cannot stand before --${key}`)
    const value = option.kind.parse(
      values.map((word) => word.text),
      context,
    )
    if (value instanceof Problem) complain((values[value.word] ?? name).column, `--${key}: ${value.message}`, value.by)
    else if (renews.length > 0) {
      const before = (this.#values[key] ?? []) as readonly unknown[]
      this.#values[key] = [...before, this.#setApart(renews)]
    } else {
      // Of options that stand in for each other the last one counts: values are in the order of writing.
      delete this.#values[key]
      this.#values[key] = option.traits.negated ? { value, not } : value
    }
  }

  /** Takes the values of these options away; they may be given anew. */
  #setApart(names: readonly string[]): Readonly<Record<string, unknown>> {
    const apart: Record<string, unknown> = {}
    for (const name of names) {
      if (!this.#given.includes(name)) continue
      apart[name] = this.#values[name]
      delete this.#values[name]
      this.#given.splice(this.#given.indexOf(name), 1)
    }
    return apart
  }

  /** The values in their one form, when the rule is at its end; undefined after a complaint. */
  finish(around: Surroundings, complain: Complain): OptionValues | undefined {
    const { declaration } = this
    const { options } = declaration
    const refuse = (message: string, by?: RefusedBy) => {
      complain(this.word.column, message, by)
      return undefined
    }
    for (const key in options) {
      const { traits } = options[key]
      if (traits.isRequired && !this.#given.includes(key)) return refuse(`${this.#title()} needs --${key}`)
      if (traits.initial !== undefined && !this.#given.includes(key))
        this.#values[key] = traits.negated ? { value: traits.initial, not: false } : traits.initial
    }
    const { anyOf } = declaration
    if (anyOf !== undefined && !anyOf.some((key) => this.#given.includes(key)))
      return refuse(
        `${this.#title()} needs ${anyOf.length > 1 ? 'one of ' : ''}${anyOf.map((key) => `--${key}`).join(', ')}`,
      )
    const place = this.#place(around)
    if (place !== undefined) refuse(place, 'tables')
    // A value that was refused leaves a hole; the rule is lost, and what builds on its values cannot be asked.
    for (const key of this.#given) if (this.#values[key] === undefined) return undefined
    const normal = declaration.normalize?.(this.#values, around) ?? this.#values
    const wrong = declaration.check?.(normal, around)
    if (wrong instanceof NotTaken) return refuse(`${this.#title()}: ${wrong.message}`, wrong.by)
    if (wrong !== undefined) return refuse(`${this.#title()}: ${wrong}`)
    return inOrder(normal, options)
  }

  /** What is wrong with where it stands. */
  #place(around: Surroundings): string | undefined {
    const { families, tables, protocols } = this.declaration
    if (families !== undefined && !families.includes(around.family))
      return `${this.#title()} is not for IPv${around.family}`
    if (tables !== undefined && !tables.includes(around.table))
      return `${this.#title()} cannot stand in table ${around.table}: expected ${tables.join(' or ')}`
    if (protocols !== undefined && (around.protocol === undefined || !protocols.includes(around.protocol)))
      return `${this.#title()} needs ${protocols.map((p) => `-p ${protocolName(p)}`).join(' or ')}`
    return undefined
  }

  #title(): string {
    return `${this.declaration.kind} ${this.declaration.name}`
  }
}

/** Many uses have no options (`-p tcp -m tcp`): what has the same in common is seen by that. */
const NONE: OptionValues = {}

function inOrder(values: OptionValues, options: Options): OptionValues {
  if (Object.keys(values).length === 0) return NONE
  const ordered: Record<string, unknown> = {}
  for (const key in options) if (values[key] !== undefined) ordered[key] = values[key]
  return ordered
}

const nameTables = new WeakMap<ExtensionDeclaration, ReadonlyMap<string, string>>()

/** Every name of a declaration's options, with the option that it means. */
export function namesOf(declaration: ExtensionDeclaration): ReadonlyMap<string, string> {
  let names = nameTables.get(declaration)
  if (names === undefined) {
    const made = new Map<string, string>()
    for (const [key, option] of Object.entries(declaration.options))
      for (const name of [key, ...option.traits.aliases]) made.set(name, key)
    names = made
    nameTables.set(declaration, names)
  }
  return names
}
