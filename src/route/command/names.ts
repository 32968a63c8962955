// What iproute2 calls tables, protocols, scopes and values of TOS: the files under /etc/iproute2, as they are delivered, and the names
// that a configuration gives to tables.

import { numberOf } from './words.ts'

const TABLES: Readonly<Record<string, number>> = { local: 255, main: 254, default: 253 }

const PROTOCOLS: Readonly<Record<string, number>> = {
  unspec: 0,
  redirect: 1,
  kernel: 2,
  boot: 3,
  static: 4,
  gated: 8,
  ra: 9,
  mrt: 10,
  zebra: 11,
  bird: 12,
  dnrouted: 13,
  xorp: 14,
  ntk: 15,
  dhcp: 16,
  keepalived: 18,
  babel: 42,
  openr: 99,
  bgp: 186,
  isis: 187,
  ospf: 188,
  rip: 189,
  eigrp: 192,
}

const SCOPES: Readonly<Record<string, number>> = { global: 0, nowhere: 255, host: 254, link: 253, site: 200 }

/** Classes of RFC 2474, 2597 and 3246, as the whole byte. */
const TOS: Readonly<Record<string, number>> = {
  default: 0,
  AF11: 0x28,
  AF12: 0x30,
  AF13: 0x38,
  AF21: 0x48,
  AF22: 0x50,
  AF23: 0x58,
  AF31: 0x68,
  AF32: 0x70,
  AF33: 0x78,
  AF41: 0x88,
  AF42: 0x90,
  AF43: 0x98,
  CS1: 0x20,
  CS2: 0x40,
  CS3: 0x60,
  CS4: 0x80,
  CS5: 0xa0,
  CS6: 0xc0,
  CS7: 0xe0,
  EF: 0xb8,
}

/** Names of tables: those of every router, and given ones. */
export class TableNames {
  readonly #numbers: ReadonlyMap<string, number>
  readonly #names: ReadonlyMap<number, string>

  constructor(given: Readonly<Record<string, number>> = {}) {
    this.#numbers = new Map([...Object.entries(TABLES), ...Object.entries(given)])
    this.#names = new Map([...this.#numbers].map(([name, number]) => [number, name]))
  }

  number(word: string): number | undefined {
    const number = this.#numbers.get(word) ?? numberOf(word)
    return number !== undefined && number <= 0xffffffff ? number : undefined
  }

  name(number: number): string {
    return this.#names.get(number) ?? String(number)
  }
}

function reader(names: Readonly<Record<string, number>>, max: number) {
  return (word: string): number | undefined => {
    const number = names[word] ?? numberOf(word)
    return number !== undefined && number <= max ? number : undefined
  }
}

function writer(names: Readonly<Record<string, number>>) {
  const byNumber = new Map(Object.entries(names).map(([name, number]) => [number, name]))
  return (number: number): string => byNumber.get(number) ?? String(number)
}

export const protocolOf = reader(PROTOCOLS, 255)
export const protocolNameOf = writer(PROTOCOLS)
export const scopeOf = reader(SCOPES, 255)
export const scopeNameOf = writer(SCOPES)

/** Numbers are always hexadecimal here. */
export function tosOf(word: string): number | undefined {
  if (TOS[word] !== undefined) return TOS[word]
  return /^(0x)?[\da-f]{1,2}$/i.test(word) ? Number.parseInt(word, 16) : undefined
}

const tosName = new Map(Object.entries(TOS).map(([name, number]) => [number, name]))

export function tosNameOf(tos: number): string {
  return tosName.get(tos) ?? `0x${tos.toString(16).padStart(2, '0')}`
}

/** Protocols of the IP header, by name: /etc/protocols. */
export interface IpProtocols {
  protocolNumber(name: string): number | undefined
  protocolName(number: number): string
}

/** What texts are read and written with. */
export interface Names extends IpProtocols {
  readonly tables: TableNames
}
