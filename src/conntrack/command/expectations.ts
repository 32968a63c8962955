// The commands of conntrack 1.4.7 about expectations (`conntrack -L expect`), and how they are printed. It lists IPv4's where no
// family is given, says "shown" of what it has deleted, and then fails.

import type { TakenEvent } from '../events.ts'
import * as event from '../events.ts'
import type { ExpectationEntry } from '../expect.ts'
import type { FlowAnswer, FlowChange, NewTuple } from '../flow-change.ts'
import { BANNER, failedExpectation } from './fault.ts'
import { addressText, protocolName, tupleText } from './line.ts'
import { familyOf } from './new-flow.ts'
import { Printer } from './print.ts'
import type { Address, Request } from './request.ts'
import { type Client, type FlowSource, statisticsLine } from './run.ts'
import { told, UNREAD_MAX } from './watch.ts'
import { element, layer4, moment } from './xml.ts'

const STATISTICS = ['expect_new', 'expect_create', 'expect_delete']

export class ExpectRun {
  readonly #request: Request
  readonly #source: FlowSource
  readonly #client: Client
  readonly #port: number
  readonly #print: Printer

  constructor(request: Request, source: FlowSource, client: Client, port: number) {
    this.#request = request
    this.#source = source
    this.#client = client
    this.#port = port
    this.#print = new Printer(request.output, undefined, client, 'expect')
  }

  async run(): Promise<number> {
    switch (this.#request.command) {
      case 'L':
        return await this.#list()
      case 'C':
        this.#client.print(`${(await this.#all()).length}\n`)
        return 0
      case 'F':
        for (const { family } of this.#source.views) await this.#change(family, { kind: 'flush-expectations' })
        this.#client.printError(`${BANNER}: expectation table has been emptied.\n`)
        return 0
      case 'S':
        this.#client.print(statisticsLine(this.#source, STATISTICS))
        return 0
      case 'E':
        return await this.#watch()
      case 'I':
        return await this.#create()
      default:
        return await this.#find(this.#request.command === 'D')
    }
  }

  #change(family: 4 | 6, change: FlowChange): Promise<FlowAnswer> {
    return this.#source.change(family, change, this.#port)
  }

  async #all(): Promise<readonly ExpectationEntry[]> {
    return (await this.#change(this.#request.family || 4, { kind: 'expectations' })).expectations ?? []
  }

  #say(text: string): void {
    this.#client.printError(`${BANNER}: ${text}\n`)
  }

  #line(entry: ExpectationEntry, taken?: TakenEvent): void {
    const { output } = this.#request
    const kind = taken === undefined ? undefined : (taken.bits & event.EXPECT_NEW) !== 0 ? 'new' : 'destroy'
    const { helperName, wall } = this.#source.reading()
    const at = taken?.wall ?? wall
    if (output.xml) {
      this.#print.line(formatXml(entry, helperName, kind, output.timestamp ? new Date(at) : undefined))
      return
    }
    const seconds = Math.floor(at / 1000)
    const micros = String(Math.floor((at - seconds * 1000) * 1000)).padStart(6, '0')
    const when = output.timestamp ? `[${seconds}.${micros}]\t` : ''
    const what = kind === undefined ? '' : `${`[${kind.toUpperCase()}]`.padStart(9)} `
    this.#print.line(when + what + formatExpectation(entry, helperName))
  }

  async #list(): Promise<number> {
    const entries = await this.#all()
    for (const entry of entries) this.#line(entry)
    this.#print.end()
    this.#say(`${entries.length} expectations have been shown.`)
    return 0
  }

  async #find(removes: boolean): Promise<number> {
    const { src = [], dst = [], sport = 0, dport = 0 } = this.#request.values
    const { protocol = 0 } = this.#request
    const tuple = tupleOf(src, dst, sport, dport)
    const change = { kind: 'find-expectation', protocol, tuple, removes } as const
    const { refused, expectations = [] } = await this.#change(familyOf(src), change)
    if (refused !== undefined) throw failedExpectation(refused)
    if (removes) {
      this.#say('0 expectations have been shown.')
      return 1
    }
    for (const entry of expectations) this.#line(entry)
    this.#print.flush()
    return 0
  }

  async #create(): Promise<number> {
    const { values, protocol = 0 } = this.#request
    const { src = [], dst = [], sport = 0, dport = 0 } = values
    const { 'tuple-src': source = [], 'tuple-dst': destination = [], 'mask-src': mask = [] } = values
    const { refused } = await this.#change(familyOf(src), {
      kind: 'expect',
      protocol,
      master: tupleOf(src, dst, sport, dport),
      tuple: tupleOf(source, destination, values['tuple-port-src'] ?? 0, values['tuple-port-dst'] ?? 0),
      mask: { source: mask, sport: values['mask-port-src'] ?? 0 },
    })
    if (refused === undefined) return 0
    throw failedExpectation(refused, 'master conntrack not found')
  }

  async #watch(): Promise<number> {
    let shown = 0
    let lost = 0
    const client = this.#client
    const stop = this.#source.listen(
      (taken) => {
        if (taken.expectation === undefined) return
        if (client.unread > UNREAD_MAX) {
          lost++
          return
        }
        if (lost > 0) client.printError(told(lost))
        lost = 0
        shown++
        this.#line(taken.expectation, taken)
        this.#print.flush()
      },
      (count) => client.printError(told(count)),
    )
    await new Promise<void>((resolve) => client.onGone(resolve))
    stop()
    this.#print.end()
    this.#say(`${shown} expectation events have been shown.`)
    return 0
  }
}

function tupleOf(source: Address, destination: Address, sport: number, dport: number): NewTuple {
  return { source, destination, ports: (sport << 16) | dport, zone: 0 }
}

type HelperName = (number: number) => string

const whole = (words: readonly number[]) => words.map(() => -1)

export function formatExpectation({ expected, master, seconds }: ExpectationEntry, helperName: HelperName): string {
  const { protocol, destination, sourceMask, sportMask } = expected
  const mask = { source: sourceMask, destination: whole(destination), sport: sportMask, dport: 0xffff }
  const prefixed = (name: string, text: string) => text.replace('src=', `${name}-src=`).replace('dst=', `${name}-dst=`)
  return [
    `${seconds} proto=${protocol} ${tupleText(expected, protocol)}`,
    prefixed('mask', tupleText(mask, protocol)),
    prefixed('master', tupleText(master, master.protocol)),
    flagsOf(expected).join(','),
    `class=${expected.class} helper=${helperName(expected.helper)}`,
  ]
    .filter((word) => word !== '')
    .join(' ')
}

function flagsOf({ isPermanent, isInactive }: ExpectationEntry['expected']): string[] {
  return [isPermanent === true ? 'PERMANENT' : '', isInactive === true ? 'INACTIVE' : ''].filter((flag) => flag !== '')
}

function formatXml(
  { expected, master, seconds }: ExpectationEntry,
  helperName: HelperName,
  kind: string | undefined,
  when: Date | undefined,
): string {
  const { protocol, source, destination, sourceMask, sportMask } = expected
  const family = familyOf(source)
  const addresses = (from: readonly number[], to: readonly number[]) =>
    element('src', addressText(from)) + element('dst', addressText(to))
  const meta = [
    element('helper-name', helperName(expected.helper)),
    element('timeout', seconds),
    element('class', expected.class),
    ...flagsOf(expected).map((flag) => `<${flag.toLowerCase()}/>`),
    when === undefined ? '' : moment(when),
  ]
  return [
    kind === undefined ? '<flow>' : `<flow type="${kind}">`,
    `<layer3 protonum="${family === 4 ? 2 : 10}" protoname="ipv${family}">`,
    element('expected', addresses(source, destination)),
    element('mask', addresses(sourceMask, whole(destination))),
    element('master', addresses(master.source, master.destination)),
    '</layer3>',
    `<layer4 protonum="${protocol}" protoname="${protocolName(protocol)}">`,
    element('expected', layer4(expected, protocol)),
    element('mask', layer4({ sport: sportMask, dport: 0xffff }, protocol)),
    element('master', layer4(master, master.protocol)),
    '</layer4>',
    element('meta', meta.join('')),
    '</flow>',
  ].join('')
}
