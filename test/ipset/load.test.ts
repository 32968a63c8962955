import { expect, test } from 'vitest'
import { RefusedError } from '../../src/errors.ts'
import { loadSets } from '../../src/ipset/load.ts'
import { newStore, run } from './sets.ts'

function complaints(text: string): string[] {
  try {
    loadSets(newStore(), text, 'sets')
    return []
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error
    return error.complaints.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`)
  }
}

test('sets in ipset-save form are loaded', () => {
  const store = newStore()
  run(store, 'create a hash:net comment', 'add a 10.0.0.0/8 comment x', 'create l list:set', 'add l a')
  const saved = run(store, 'save')
  const other = newStore()
  loadSets(other, `# saved\n\n${saved}`, 'sets')
  expect(run(other, 'save')).toBe(saved)
  expect(() => loadSets(other, 'create b hash:ip\nadd a 11.0.0.0/8\nadd a foo\n', 'sets')).toThrow(RefusedError)
  expect(run(other, 'save')).toBe(saved)
})

test('every line that is wrong is complained of, at its word, with what was expected', () => {
  expect(
    complaints(
      [
        'create a hash:ip comment',
        'add a 10.0.0.1 comment "x y"',
        'add a 10.0.0.300',
        'add b 10.0.0.1',
        'add a 10.0.0.1',
        'create c hash:foo',
        'create c hash:ip hashsize x',
        'add a 10.0.0.2 tiemout 5',
        'del a 10.0.0.1',
        'create p hash:ip,port',
        'add p 10.0.0.1,tcp:nosuch',
        'add p 10.0.0.1',
        'add a',
        'create 01234567890123456789012345678901 hash:ip',
        'add a 10.0.0.2\0',
        'x'.repeat(1200),
        'add a 10.0.0.3 timeout 5',
      ].join('\n'),
    ),
  ).toEqual([
    'sets:3:7: cannot parse 10.0.0.300: resolving to IPv4 address failed: expected IP',
    'sets:4:7: The set with the given name does not exist: expected the name of a set that a line before this one creates',
    "sets:5:7: Element cannot be added to the set: it's already added",
    expect.stringMatching(/^sets:6:10: typename 'hash:foo' is unknown: expected one of hash:ip, hash:net, /),
    expect.stringMatching(
      /^sets:7:27: 'x' is invalid as number: expected create SETNAME hash:ip \[family inet\|inet6\] /,
    ),
    "sets:8:16: Unknown argument: `tiemout': expected options of timeout, packets, bytes, comment, skbmark, skbprio, skbqueue",
    "sets:9:1: 'del' cannot stand here: expected create or add",
    expect.stringMatching(/^sets:11:20: 'nosuch' is invalid as number; .* expected IP,\[PROTOCOL:\]PORT$/),
    'sets:12:7: Second element is missing from 10.0.0.1.: expected IP,[PROTOCOL:]PORT',
    'sets:13:6: the line ends here: expected add SETNAME MEMBER [options]',
    expect.stringMatching(/^sets:14:8: setname '0123.*' is longer than 31 characters: expected /),
    'sets:15:15: there is a NUL byte here',
    'sets:16:1: the line is longer than 1023 characters',
    'sets:17:7: Timeout cannot be used: set was created without timeout support',
  ])
})
