// Connection helpers read what strangers wrote. Payloads made of the pieces of each helper's protocol and of noise, in both
// directions, with and without NAT: nothing throws, no slot is lost, and what leaves is whole, its lengths and checksums right.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HELPERS } from '../../src/conntrack/helper/index.ts'
import { PROTO_TCP } from '../../src/wire/ipv4.ts'
import { Router } from '../engine/router.ts'
import { bytesOf, lineOf } from '../support/packets.ts'
import '../support/seed.ts'

/** A message of PPTP's control connection. */
const control = (message: number, body: readonly number[], length: number) =>
  String.fromCharCode(0, 12 + length, 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, message, 0, 0, ...body).padEnd(12 + length, '\0')

/** Pieces of what each helper reads; each has to be here. */
const PIECES: Readonly<Record<string, readonly string[]>> = {
  ftp: [
    'PORT ',
    'EPRT ',
    '227 (',
    '229 (',
    '|1|',
    '|2|',
    '|||',
    '10,0,1,2,4,1',
    '10.0.1.2',
    '|1025|',
    ')',
    '\r',
    '::1',
  ],
  irc: [
    'PRIVMSG x',
    'PRIVMSG ',
    ' :',
    '\x01DCC ',
    'SEND ',
    'CHAT f ',
    'file ',
    '167772418 ',
    '3405803777 ',
    '1025',
    '\x01\n',
  ],
  pptp: [
    ...[control(1, [], 144), control(2, [1, 0, 1], 144), control(3, [], 4), control(4, [1], 4)],
    ...[control(7, [0, 7], 156), control(8, [0, 9, 3, 0xe8, 1], 20), control(8, [0, 9, 0, 7, 1], 20)],
    ...[control(9, [0, 9], 208), control(10, [0, 7, 0, 9, 1], 12), control(11, [0, 7], 16), control(12, [0, 7], 4)],
    ...[control(13, [0, 9], 136), control(14, [0, 7], 28), control(15, [0, 7], 12)],
  ],
  'netbios-ns': ['\0\x01'],
  sip: [
    ...['REGISTER sip:203.0.113.9 SIP/2.0\r\n', 'INVITE sip:b@203.0.113.9 SIP/2.0\r\n', 'BYE sip:x SIP/2.0\r\n'],
    ...['SIP/2.0 200 OK\r\n', 'SIP/2.0 486 Busy\r\n', 'CSeq: 1 REGISTER\r\n', 'CSeq: 1 INVITE\r\n'],
    ...['Via: SIP/2.0/UDP 10.0.1.2:1000;rport=1000;received=203.0.113.1\r\n', 'Contact: <sip:a@10.0.1.2:1000>, '],
    ...['m: <sip:203.0.113.1>\r\n', 'From: sip:a@10.0.1.2:1000\r\n', ';expires=', 'Expires: 60\r\n', '\r\n '],
    ...['Content-Length: 5\r\n', '\r\nv=0\r\n', 'o=a 1 1 IN IP4 10.0.1.2\r\n', 'c=IN IP4 10.0.1.2\r\n'],
    ...['m=audio 4000 RTP\r\n', 'm=video 4002\r\n', 'm=', '10.0.1.2', ':'],
  ],
  tftp: ['\0\x01', '\0\x02', '\0\x03', 'file\0', 'octet\0'],
}
const NUMBERS = ['0', '1', '9', '255', '1025', '65535', '65536', '4294967295', '99999999999999999999']

const rules = (name: string, protocol: string, masquerades: boolean) =>
  [
    `*raw\n-A PREROUTING -p ${protocol} -j CT --helper ${name}\nCOMMIT\n`,
    masquerades ? '*nat\n-A POSTROUTING -o wan -j MASQUERADE\nCOMMIT\n' : '',
  ].join('')

describe.each(HELPERS.flatMap((helper) => helper ?? []))('helper $name, protocol $protocol', ({ name, protocol }) => {
  const isTcp = protocol === PROTO_TCP
  const word = isTcp ? 'tcp' : 'udp'
  const payload = fc
    .array(
      fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(...(PIECES[name] ?? [])) },
        { weight: 2, arbitrary: fc.constantFrom(...NUMBERS, ' ', '\n', '\r\n') },
        { weight: 1, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 8 }) },
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join(''))
  const conversation = fc.array(fc.tuple(fc.boolean(), payload, fc.boolean()), { maxLength: 12 })

  test.each([false, true])('survives anything, NAT: %s', (masquerades) => {
    expect(PIECES[name]).toBeDefined()
    fc.assert(
      fc.property(conversation, (segments) => {
        const router = new Router(rules(name, word, masquerades))
        const outside = masquerades ? '203.0.113.1' : '10.0.1.2'
        const sequence = { lan: 101, wan: 501 }
        if (isTcp) {
          router.send('lan', 'tcp 10.0.1.2:1000 > 203.0.113.9:21 S seq 100')
          router.send('wan', `tcp 203.0.113.9:21 > ${outside}:1000 S. seq 500 ack 101`)
        }
        for (const [fromServer, text, endsLine] of segments) {
          const bytes = Buffer.from(endsLine ? `${text}\r\n` : text, 'latin1')
          const from = fromServer ? 'wan' : 'lan'
          const ends = fromServer ? `203.0.113.9:21 > ${outside}:1000` : '10.0.1.2:1000 > 203.0.113.9:21'
          const numbers = isTcp ? ` P. seq ${sequence[from]} ack ${sequence[fromServer ? 'lan' : 'wan']}` : ''
          sequence[from] += bytes.length
          router.inject(from, `${word} ${ends}${numbers}${bytes.length > 0 ? ` hex ${bytes.toString('hex')}` : ''}`)
          for (const device of ['lan', 'wan'])
            for (const sent of router.device(device).take()) {
              // The line names what is not as it must be: a length or a checksum.
              expect(lineOf(sent)).not.toMatch(/ (sum|ipsum|iplen|ulen) /)
              expect(Buffer.from(bytesOf(lineOf(sent))).equals(sent)).toBe(true)
            }
        }
        expect(router.slotsOut).toBe(0)
        router.pause(6 * 3600 * 1000)
        router.pause(1000)
        expect(router.engine.conntrack.announced.expectations.count).toBe(0)
        router.engine.close()
      }),
      { numRuns: 60 },
    )
  })
})
