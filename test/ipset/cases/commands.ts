// Command lines as text.

/** A line each, words separated by blanks; quotes of both sorts keep blanks in a word. */
export function commands(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c!))
}
