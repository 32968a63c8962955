// iptables-xml: rules in iptables-save form as XML, in the form that iptables-xml 1.8.9 gives them. It looks at words alone, so that what
// comes out is what went in, whatever it means; with `combine` what rules with the same conditions do stands together.

import { splitWords, type Word } from './lexer.ts'

/** Behind these a packet does not reach the next rule. */
const ENDS = new Set('ACCEPT DROP REJECT RETURN QUEUE DNAT SNAT MASQUERADE REDIRECT NETMAP'.split(' '))

const escaped = (text: string) =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] as string)

/** No two dashes may stand together in a comment of XML; this is how iptables-xml sees to it. */
function commented(line: string): string {
  let odd = false
  return line.replace(/-/g, () => {
    odd = !odd
    return odd ? '*-' : ' *-'
  })
}

interface Option {
  readonly name: string
  readonly not: boolean
  readonly values: readonly string[]
  /** A `!` stands behind it: then it is shown with an empty value. */
  readonly beforeNot: boolean
}

/** What stands behind one -m or -j, or before the first of them. */
interface Group {
  readonly name: string
  readonly options: Option[]
}

interface Reading {
  readonly conditions: readonly Group[]
  readonly action: { readonly kind: 'target' | 'call' | 'goto'; readonly group: Group } | undefined
}

/** @returns the text, and the line at which it had to stop */
export function xmlOf(text: string, combine: boolean): { readonly xml: string; readonly failed?: number } {
  const writer = new Writer(combine)
  for (const [i, line] of text.split('\n').entries()) if (!writer.line(line)) return { xml: writer.xml, failed: i + 1 }
  return { xml: `${writer.xml}</iptables-rules>\n` }
}

class Writer {
  xml = '<iptables-rules version="1.0">\n'
  readonly #combine: boolean
  #inTable = false
  /** Opening tags of the chains that were named, by name, without their end. */
  #chains = new Map<string, string>()
  #shown = new Set<string>()
  #chain: string | undefined
  /** The rule whose end is not written yet: its conditions, and whether a packet may get past it. */
  #open: { readonly conditions: string; readonly passes: boolean } | undefined

  constructor(combine: boolean) {
    this.#combine = combine
  }

  line(line: string): boolean {
    if (line === '') return true
    if (line[0] === '#') {
      this.#endRule()
      this.xml += `<!-- ${commented(line)} -->\n`
      return true
    }
    if (!this.#inTable) return this.#table(line)
    if (line === 'COMMIT') this.#commit()
    else if (line[0] === ':') this.#declare(line)
    else return this.#rule(line)
    return true
  }

  #table(line: string): boolean {
    const name = /^\*\s*(\S+)/.exec(line)?.[1]
    if (name === undefined) return false
    this.xml += `  <table name="${escaped(name)}" >\n`
    this.#inTable = true
    return true
  }

  #declare(line: string): void {
    const [, name, policy, packets, bytes] = /^:\s*(\S+)\s+(\S+)(?:\s+\[(\d+):(\d+)\])?/.exec(line) ?? []
    if (name === undefined) return
    const said = policy === '-' ? '' : ` policy="${escaped(policy)}"`
    const counts = packets === undefined ? '' : ` packet-count="${packets}" byte-count="${bytes}"`
    this.#chains.set(name, `    <chain name="${escaped(name)}"${said}${counts} `)
  }

  #commit(): void {
    this.#endChain()
    for (const [name, tag] of this.#chains) if (!this.#shown.has(name)) this.xml += `${tag}/>\n`
    this.xml += '  </table>\n'
    this.#inTable = false
    this.#chains = new Map()
    this.#shown = new Set()
  }

  #rule(line: string): boolean {
    const [, packets, bytes] = /^\[(\d+):(\d+)\]/.exec(line) ?? []
    const from = packets === undefined ? 0 : line.indexOf(']') + 1
    // What stands in quotes stands in them in XML too.
    const words = splitWords(line, from).map((word) =>
      line[word.column - 1] === '"' ? { ...word, text: `"${word.text}"` } : word,
    )
    const at = words.findIndex(({ text }) => text === '-A' || text === '--append')
    const chain = words[at + 1]?.text
    if (at < 0 || chain === undefined) return false
    const { conditions, action } = read([...words.slice(0, at), ...words.slice(at + 2)], this.#chains)
    const written = conditions.map((group) => element(group, 8)).join('')
    const joined =
      this.#combine &&
      written !== '' &&
      this.#chain === chain &&
      this.#open?.passes &&
      this.#open.conditions === written
    if (joined) this.xml += '<!-- Combine action from next rule -->\n'
    else {
      this.#beginChain(chain)
      const counts = packets === undefined ? '' : `packet-count="${packets}" byte-count="${bytes}" `
      this.xml += `      <rule ${counts}>\n`
      if (written !== '') this.xml += `       <conditions>\n${written}       </conditions>\n`
      this.xml += '       <actions>\n'
    }
    if (action?.kind === 'target') this.xml += element(action.group, 8)
    else if (action !== undefined) {
      const { kind, group } = action
      this.xml += `        <${kind} >\n          <${group.name} />\n        </${kind}>\n`
    }
    const passes = action === undefined || (action.kind !== 'goto' && !ENDS.has(action.group.name))
    this.#open = { conditions: written, passes }
    return true
  }

  #beginChain(chain: string): void {
    if (chain === this.#chain) return this.#endRule()
    this.#endChain()
    const tag = this.#chains.get(chain)
    if (tag !== undefined) this.xml += `${tag}>\n`
    this.#chain = chain
    this.#shown.add(chain)
  }

  #endRule(): void {
    if (this.#open === undefined) return
    this.xml += '       </actions>\n\n      </rule>\n\n'
    this.#open = undefined
  }

  #endChain(): void {
    this.#endRule()
    if (this.#chain !== undefined && this.#chains.has(this.#chain)) this.xml += '    </chain>\n'
    this.#chain = undefined
  }
}

function read(words: readonly Word[], chains: ReadonlyMap<string, string>): Reading {
  let group: Group = { name: 'match', options: [] }
  const conditions: Group[] = [group]
  let action: Reading['action']
  let not = false
  for (let i = 0; i < words.length; i++) {
    const { text } = words[i]
    if (text === '!') {
      not = true
      continue
    }
    const next = words[i + 1]?.text
    if (['-m', '--match', '-j', '--jump', '-g', '--goto'].includes(text) && next !== undefined) {
      i++
      group = { name: next, options: [] }
      if (text === '-m' || text === '--match') conditions.push(group)
      else {
        const jump = /^-{1,2}g/.test(text) ? 'goto' : 'call'
        action = { kind: chains.has(next) ? jump : 'target', group }
      }
    } else {
      const values: string[] = []
      while (words[i + 1] !== undefined && !/^-.|^!$/s.test(words[i + 1].text)) {
        i++
        values.push(words[i].text)
      }
      group.options.push({ name: text.replace(/^-+/, ''), not, values, beforeNot: words[i + 1]?.text === '!' })
    }
    not = false
  }
  return { conditions: conditions.filter(({ name, options }) => name !== 'match' || options.length > 0), action }
}

function element({ name, options }: Group, indent: number): string {
  const blank = ' '.repeat(indent)
  if (options.length === 0) return `${blank}<${name}  />\n`
  const inner = options.map(({ name: option, not, values, beforeNot }) => {
    const invert = not ? ' invert="1"' : ''
    if (values.length === 0 && !beforeNot) return `${blank}  <${option} ${invert} />\n`
    return `${blank}  <${option} ${invert}>${escaped(values.join(' '))}</${option}>\n`
  })
  return `${blank}<${name} >\n${inner.join('')}${blank}</${name}>\n`
}
