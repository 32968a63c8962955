import { describe, expect, test } from 'vitest'
import { tcpPacket } from './bytes.ts'
import { Tracked } from './tracked.ts'

/** `> SA seq ack window length`: a segment of the client (>) or the server (<). */
function segment(line: string, options: readonly number[] = [], damaged = false): Uint8Array {
  const [side, flags, seq, ack, window, data] = line.split(' ')
  const client = side === '>'
  return tcpPacket({
    source: client ? '10.0.0.1' : '10.0.0.2',
    destination: client ? '10.0.0.2' : '10.0.0.1',
    sport: client ? 1000 : 80,
    dport: client ? 80 : 1000,
    flags: flags === '-' ? '' : flags!,
    seq: Number(seq ?? 0),
    ack: Number(ack ?? 0),
    window: Number(window ?? 1000),
    data: Number(data ?? 0),
    options,
    damaged,
  })
}

/** Each line is a segment, `=>`, the packet's state and the flow after it. */
function story(lines: string, tracked = new Tracked()): Tracked {
  const said: string[] = []
  const expected = lines
    .trim()
    .split('\n')
    .map((line) => line.trim())
  for (const line of expected) {
    const [what] = line.split(' => ')
    if (what!.startsWith('wait')) {
      tracked.wait(Number(what!.split(' ')[1]))
      said.push(`${what} => ${tracked.flow()}`)
    } else said.push(`${what} => ${tracked.send(segment(what!))} ${tracked.flow()}`)
  }
  expect(said).toEqual(expected)
  return tracked
}

const OPEN = `
  > S 100 => NEW SYN_SENT 120
  < SA 500 101 => ESTABLISHED SYN_RECV 60
  > A 101 501 => ESTABLISHED ESTABLISHED 432000 ASSURED`

describe('a TCP connection', () => {
  test('opens, is idle, closes from both sides and is reopened from TIME_WAIT', () => {
    story(`${OPEN}
      wait 1000 => ESTABLISHED 431000 ASSURED
      > FA 101 501 => ESTABLISHED FIN_WAIT 120 ASSURED
      < A 501 102 => ESTABLISHED CLOSE_WAIT 60 ASSURED
      < FA 501 102 => ESTABLISHED LAST_ACK 30 ASSURED
      > A 102 502 => ESTABLISHED TIME_WAIT 120 ASSURED
      > S 9000 => NEW SYN_SENT 120`)
  })

  test('a RST ends it at once where it is exact, and is doubted where it only is in the window', () => {
    story(`${OPEN}
      < A 501 101 => ESTABLISHED ESTABLISHED 432000 ASSURED
      > R 150 => ESTABLISHED ESTABLISHED 10 ASSURED
      > R 50 => INVALID ESTABLISHED 10 ASSURED
      > R 101 => ESTABLISHED CLOSE 10 ASSURED`)
  })

  test('a refused SYN leaves no flow', () => {
    story(`
      > S 100 => NEW SYN_SENT 120
      < RA 0 101 => ESTABLISHED none`)
  })

  test('a SYN that is sent again does not renew the flow', () => {
    story(`
      > S 100 => NEW SYN_SENT 120
      wait 3 => SYN_SENT 117
      > S 100 => NEW SYN_SENT 117`)
  })

  test('both sides open it at once', () => {
    story(`
      > S 100 => NEW SYN_SENT 120
      < S 500 => ESTABLISHED SYN_SENT2 120
      > SA 100 501 => ESTABLISHED SYN_RECV 60
      < A 501 101 => ESTABLISHED ESTABLISHED 432000 ASSURED`)
  })

  test('beyond the window, and acknowledging what was not sent, is INVALID; old duplicates are not', () => {
    story(`${OPEN}
      < A 501 101 1000 100 => ESTABLISHED ESTABLISHED 300 ASSURED
      > A 101 601 => ESTABLISHED ESTABLISHED 432000 ASSURED
      > A 5000 601 => INVALID ESTABLISHED 432000 ASSURED
      > A 101 900 => INVALID ESTABLISHED 432000 ASSURED
      < A 501 101 1000 100 => ESTABLISHED ESTABLISHED 432000 ASSURED`)
  })

  test('with be_liberal what is out of the window is believed', () => {
    story(
      `${OPEN}
      < A 501 101 1000 100 => ESTABLISHED ESTABLISHED 300 ASSURED
      > A 50000 601 => ESTABLISHED ESTABLISHED 300 ASSURED`,
      new Tracked({ 'net.netfilter.nf_conntrack_tcp_be_liberal': 1 }),
    )
  })

  test('data sent again and again without an answer shortens its life', () => {
    story(`${OPEN}
      < A 501 101 => ESTABLISHED ESTABLISHED 432000 ASSURED
      > A 101 501 0 => ESTABLISHED ESTABLISHED 300 ASSURED
      < A 501 101 => ESTABLISHED ESTABLISHED 432000 ASSURED
      < A 501 101 => ESTABLISHED ESTABLISHED 432000 ASSURED
      < A 501 101 => ESTABLISHED ESTABLISHED 432000 ASSURED
      < A 501 101 => ESTABLISHED ESTABLISHED 300 ASSURED`)
  })

  test('a SYN in an established connection passes unbelieved, until the server agrees to it', () => {
    story(`${OPEN}
      > S 7000 => ESTABLISHED ESTABLISHED 432000 ASSURED
      < SA 8000 7001 => ESTABLISHED SYN_RECV 60 ASSURED
      > A 7001 8001 => ESTABLISHED ESTABLISHED 432000 ASSURED`)
  })

  test('in mid-stream it is picked up, and is ASSURED after an answer', () => {
    story(`
      > A 100 500 1000 10 => NEW ESTABLISHED 300
      < A 500 110 => ESTABLISHED ESTABLISHED 300
      > A 110 500 => ESTABLISHED ESTABLISHED 432000 ASSURED`)
  })

  test('without tcp_loose it is not', () => {
    story('> A 100 500 => INVALID none', new Tracked({ 'net.netfilter.nf_conntrack_tcp_loose': 0 }))
  })

  test('sequence numbers may wrap', () => {
    story(`
      > S 4294967290 => NEW SYN_SENT 120
      < SA 4294967295 4294967291 => ESTABLISHED SYN_RECV 60
      > A 4294967291 0 1000 100 => ESTABLISHED ESTABLISHED 300 ASSURED
      < A 0 95 => ESTABLISHED ESTABLISHED 432000 ASSURED`)
  })

  test('windows are scaled when both sides say so', () => {
    const scale = (shift: number) => [3, 3, shift, 0]
    const open = (options: readonly number[]) => {
      const tracked = new Tracked()
      tracked.send(segment('> S 100 0 1000', scale(7)))
      tracked.send(segment('< SA 500 101 1000', options))
      tracked.send(segment('> A 101 501 1000'))
      tracked.send(segment('< A 501 101 1000 100'))
      return tracked
    }
    expect(open(scale(2)).send(segment('> A 4900 501'))).toBe('ESTABLISHED')
    expect(open([]).send(segment('> A 4900 501'))).toBe('INVALID')
  })
})

describe('a first TCP segment', () => {
  const first = (flags: string) => new Tracked().send(segment(`> ${flags} 1 1`))

  test('may be a SYN or an ACK, and nothing else', () => {
    for (const flags of ['S', 'SU', 'SP', 'A', 'PA', 'AU']) expect(`${flags} ${first(flags)}`).toBe(`${flags} NEW`)
    for (const flags of ['SA', 'R', 'RA', 'F', 'FA', '-', 'SF', 'SR', 'FPU', 'P', 'U', 'SFRPAU'])
      expect(`${flags} ${first(flags)}`).toBe(`${flags} INVALID`)
  })

  test('is INVALID when cut off, or damaged on its way, but not for a checksum of the router itself', () => {
    const whole = segment('> S 1')
    for (const length of [0, 4, 13, 19]) {
      const cut = whole.slice(0, 20 + length)
      new DataView(cut.buffer).setUint16(2, cut.length)
      new DataView(cut.buffer).setUint16(10, 0)
      let sum = 0
      for (let i = 0; i < 20; i += 2) sum += new DataView(cut.buffer).getUint16(i)
      new DataView(cut.buffer).setUint16(10, ~((sum & 0xffff) + (sum >>> 16)))
      expect(new Tracked().send(cut)).toBe('INVALID')
    }
    const damaged = segment('> S 1', [], true)
    expect(new Tracked().send(damaged)).toBe('INVALID')
    expect(new Tracked().send(damaged, true)).toBe('NEW')
    expect(new Tracked({ 'net.netfilter.nf_conntrack_checksum': 0 }).send(damaged)).toBe('NEW')
  })
})
