// Names of labels: a file of lines `NUMBER NAME`, which is /etc/xtables/connlabel.conf on Linux.

import { readFileSync } from 'node:fs'

export const LABEL_FILE = '/etc/xtables/connlabel.conf'

export class LabelNames {
  readonly #numbers = new Map<string, number>()
  readonly #names = new Map<number, string>()

  /** undefined where there is no such file. */
  static read(file = LABEL_FILE): LabelNames | undefined {
    try {
      return new LabelNames(readFileSync(file, 'utf8'))
    } catch {
      return undefined
    }
  }

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [, number, name] = /^\s*(\d+)\s+(\S+)/.exec(line) ?? []
      if (name === undefined || Number(number) > 127) continue
      this.#numbers.set(name, Number(number))
      this.#names.set(Number(number), name)
    }
  }

  number(name: string): number | undefined {
    return this.#numbers.get(name)
  }

  /** undefined where it has none. */
  name(bit: number): string | undefined {
    return this.#names.get(bit)
  }

  /** Names of the labels that are set; those without a name are not told. */
  of(words: readonly number[]): string[] {
    const names: string[] = []
    for (let bit = 0; bit < 128; bit++) {
      const name = this.#names.get(bit)
      if (name !== undefined && ((words[bit >> 5] >>> (bit & 31)) & 1) !== 0) names.push(name)
    }
    return names
  }
}
