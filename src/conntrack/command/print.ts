// Prints flows and expectations in the form that a command asks for.

import type { FlowEntry } from './entry.ts'
import type { LabelNames } from './labels.ts'
import { formatEntry, type LineOptions } from './line.ts'
import type { Output } from './request.ts'
import type { Client } from './run.ts'
import { formatSaved } from './save-form.ts'
import { formatXml, type Root, xmlBegin, xmlEnd } from './xml.ts'

/** Prints flows in the form that was asked for. */
export class Printer {
  readonly #output: Output
  readonly #client: Client
  readonly #options: LineOptions
  readonly #root: Root | undefined
  #text = ''
  #began = false

  /** @param root of XML's first and last lines; undefined where it has none */
  constructor(output: Output, labels: LabelNames | undefined, client: Client, root: Root | undefined) {
    this.#root = root
    this.#output = output
    this.#client = client
    const { extended, id, ktimestamp } = output
    // Where the command names labels, they are shown too.
    this.#options = { extended, id, ktimestamp, labels: labels && ((words) => labels.of(words)) }
  }

  get options(): LineOptions {
    return this.#options
  }

  /** @param use how often the flow is in use, as far as the asker sees */
  entry(entry: FlowEntry, use = 1): void {
    const options = { ...this.#options, use }
    if (this.#output.xml) this.line(formatXml(entry, options))
    else this.line(this.#output.save ? formatSaved(entry) : formatEntry(entry, options))
  }

  line(text: string): void {
    if (this.#output.xml && this.#root !== undefined && !this.#began) this.#text += xmlBegin(this.#root)
    this.#began = true
    this.#text += `${text}\n`
  }

  flush(): void {
    if (this.#text !== '') this.#client.print(this.#text)
    this.#text = ''
  }

  end(): void {
    if (this.#output.xml && this.#root !== undefined && this.#began) this.#text += xmlEnd(this.#root)
    this.flush()
  }
}
