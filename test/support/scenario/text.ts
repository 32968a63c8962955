// The text forms that iptables-save and conntrack print, brought into a form that can be compared.

/** Lines without comments, empty lines and doubled blanks. */
export function textLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim().replace(/\s+/g, ' '))
    .filter((line) => line !== '' && !line.startsWith('#'))
}

/** Lines of an iptables-save text by table: chains first as they stand, then rules. */
export function tablesOf(text: string): Map<string, string[]> {
  const tables = new Map<string, string[]>()
  let lines: string[] | undefined
  for (const line of textLines(text)) {
    if (line.startsWith('*')) {
      lines = []
      tables.set(line.slice(1), lines)
    } else if (line !== 'COMMIT') lines?.push(line)
  }
  return tables
}

const timeout = /^(\S+ \d+ \S+ \d+ )(\d+)( |$)/
const split = (line: string): [string, number] | undefined => {
  const found = timeout.exec(line)
  return found ? [line.replace(timeout, '$1N$3'), Number(found[2])] : undefined
}

/** `got` with each line that is an expected one but for a timeout up to `slack` seconds shorter replaced by that one. */
export function sameConntrack(expected: readonly string[], got: readonly string[], slack: number): string[] {
  const left = [...expected]
  const result = got.map((text) => {
    const line = text.replace(/ use=\d+/, ' use=1')
    const mine = split(line)
    const at = left.findIndex((candidate) => {
      const theirs = split(candidate)
      if (!mine || !theirs) return candidate === line
      return mine[0] === theirs[0] && theirs[1] - mine[1] >= 0 && theirs[1] - mine[1] <= slack
    })
    return at < 0 ? line : left.splice(at, 1)[0]!
  })
  return result.sort()
}
