import { describe, expect, it } from 'vitest'
import type { RouterConfig } from '../../src/config.ts'
import { MemoryDevice } from '../../src/device/memory.ts'
import { Packet } from '../../src/packet/packet.ts'
import { REASONS } from '../../src/packet/reason.ts'
import { Slab } from '../../src/packet/slab.ts'
import { buildLinks, buildRules, buildTables } from '../../src/route/build.ts'
import { ROUTED, Routing } from '../../src/route/routing.ts'
import { TYPE_NAMES } from '../../src/route/type.ts'
import { protocolName, protocolNumber } from '../../src/rule/names.ts'
import { sysctls } from '../../src/sysctl.ts'
import { Time } from '../../src/time.ts'
import { formatAddress, parseAddress } from '../../src/wire/address.ts'

const CONFIG: RouterConfig = {
  devices: {
    lan: { addresses: ['10.0.1.1/24', '10.0.1.7/24', '10.9.0.1/16'] },
    wan: { addresses: ['203.0.113.1/24'], mtu: 1400 },
    ptp: { addresses: ['192.0.2.1 peer 192.0.2.2/32'] },
    bare: {},
  },
  routes: [
    { to: 'default', via: '203.0.113.254' },
    { to: '198.51.100.0/24', type: 'unreachable' },
    { to: '198.51.101.0/24', type: 'prohibit' },
    { to: '198.51.102.0/24', type: 'blackhole' },
    { to: '172.16.0.0/12', dev: 'ptp', src: '10.0.1.7', mtu: 1280 },
    { to: '192.168.5.0/24', type: 'local' },
  ],
}

function routing(sysctl: Record<string, number> = {}, config = CONFIG) {
  const links = buildLinks(config, new Map(Object.keys(config.devices).map((name) => [name, new MemoryDevice(name)])))
  const all = sysctls(sysctl)
  const rules = buildRules(config, 4, { protocolNumber, protocolName })
  const made = new Routing(links, buildTables(config, links, 4, all), rules, all, new Time(), 1)
  const p = new Packet(new Slab(1))
  const index = (name: string) => links.byName(name)!.index
  return {
    made,
    links,
    /** `unicast wan 203.0.113.254`, or the reason. */
    input(destination: string, source = '10.0.1.2', from = 'lan'): string {
      p.begin(0, 20, index(from))
      p.source = parseAddress(source)!
      p.destination = parseAddress(destination)!
      const said = made.input(p)
      if (said !== ROUTED) return REASONS[said]!
      const kind = TYPE_NAMES[made.type]!
      return kind === 'unicast' ? `${kind} ${links.name(made.link)} ${formatAddress(made.nexthop)}` : kind
    },
    output(destination: string): string {
      if (!made.output(made.key.to(parseAddress(destination)!))) return 'nowhere'
      return `${TYPE_NAMES[made.type]} ${links.name(made.link)} from ${formatAddress(made.preferredSource)} mtu ${made.mtu}`
    },
  }
}

describe('a received packet', () => {
  it.each([
    ['10.0.1.99', 'unicast lan 10.0.1.99'],
    ['8.8.8.8', 'unicast wan 203.0.113.254'],
    ['192.0.2.2', 'unicast ptp 192.0.2.2'],
    ['172.20.0.1', 'unicast ptp 172.20.0.1'],
    ['10.0.1.1', 'local'],
    ['10.0.1.7', 'local'],
    ['203.0.113.1', 'local'],
    ['192.168.5.77', 'local'],
    ['10.0.1.255', 'broadcast'],
    ['10.9.255.255', 'broadcast'],
    ['255.255.255.255', 'broadcast'],
    ['224.0.0.1', 'multicast'],
    ['224.0.0.251', 'broadcast'],
    ['198.51.100.1', 'unreachable-route'],
    ['198.51.101.1', 'unreachable-route'],
    ['198.51.102.1', 'unreachable-route'],
    ['127.0.0.1', 'martian-destination'],
    ['0.0.0.0', 'martian-destination'],
  ])('to %s: %s', (destination, expected) => {
    expect(routing().input(destination)).toBe(expected)
  })

  it.each([
    ['8.8.8.8', '224.0.0.5', 'martian-source'],
    ['8.8.8.8', '255.255.255.255', 'martian-source'],
    ['8.8.8.8', '0.0.0.0', 'martian-source'],
    ['8.8.8.8', '127.0.0.1', 'martian-source'],
    ['8.8.8.8', '10.0.1.1', 'martian-source'],
    ['8.8.8.8', '203.0.113.1', 'martian-source'],
    ['224.0.0.1', '10.0.1.1', 'martian-source'],
    ['255.255.255.255', '10.0.1.1', 'martian-source'],
    ['255.255.255.255', '0.0.0.0', 'broadcast'],
    ['0.0.0.0', '0.0.0.0', 'broadcast'],
    ['8.8.8.8', '240.0.0.1', 'unicast wan 203.0.113.254'],
  ])('to %s from %s: %s', (destination, source, expected) => {
    expect(routing().input(destination, source)).toBe(expected)
  })

  it('to 127/8 is taken with route_localnet', () => {
    expect(routing({ 'net.ipv4.conf.all.route_localnet': 1 }).input('127.0.0.1')).toBe('local')
  })

  it('is not forwarded, nor answered, where ip_forward is off', () => {
    const r = routing({ 'net.ipv4.ip_forward': 0 })
    const bare = routing({ 'net.ipv4.ip_forward': 0 }, { devices: { lan: { addresses: ['10.0.1.1/24'] } } })
    expect([r.input('8.8.8.8'), r.input('198.51.100.1'), r.input('10.0.1.1')]).toEqual([
      'not-forwarding',
      'not-forwarding',
      'local',
    ])
    expect(bare.input('8.8.8.8')).toBe('not-forwarding')
  })

  it('without a route is told so, whatever its source', () => {
    const r = routing({}, { devices: { lan: { addresses: ['10.0.1.1/24'] } } })
    expect([r.input('8.8.8.8'), r.input('8.8.8.8', '10.0.1.1')]).toEqual(['no-route', 'no-route'])
  })
})

describe('rp_filter', () => {
  // Source, device, and what comes of it with rp_filter 0, 1 and 2. The device without an address was measured.
  it.each([
    ['10.0.1.2', 'lan', 'ok', 'ok', 'ok'],
    ['10.0.1.2', 'wan', 'ok', 'reverse-path', 'ok'],
    ['8.8.8.8', 'lan', 'ok', 'reverse-path', 'ok'],
    ['198.51.100.9', 'lan', 'ok', 'reverse-path', 'reverse-path'],
    ['10.0.1.2', 'bare', 'ok', 'reverse-path', 'reverse-path'],
  ])('of %s on %s', (source, from, ...expected) => {
    const said = [0, 1, 2].map((mode) => {
      const r = routing({ 'net.ipv4.conf.all.rp_filter': mode })
      const to = r.input('192.0.2.2', source, from)
      return to.startsWith('unicast') ? 'ok' : to
    })
    expect(said).toEqual(expected)
  })

  it('wants any way back when it is loose', () => {
    const config = { devices: CONFIG.devices }
    const of = (mode: number) => routing({ 'net.ipv4.conf.all.rp_filter': mode }, config).input('10.9.3.3', '8.8.8.8')
    expect([of(0), of(1), of(2)]).toEqual(['unicast lan 10.9.3.3', 'reverse-path', 'reverse-path'])
  })
})

describe("the router's own packet", () => {
  it.each([
    ['10.0.1.99', 'unicast lan from 10.0.1.1 mtu 1500'],
    ['10.9.4.4', 'unicast lan from 10.9.0.1 mtu 1500'],
    ['8.8.8.8', 'unicast wan from 203.0.113.1 mtu 1400'],
    ['172.16.5.5', 'unicast ptp from 10.0.1.7 mtu 1280'],
    ['192.0.2.2', 'unicast ptp from 192.0.2.1 mtu 1500'],
    ['203.0.113.1', 'local lo from 203.0.113.1 mtu 65535'],
    ['127.0.0.9', 'local lo from 127.0.0.1 mtu 65535'],
    ['10.0.1.255', 'broadcast lan from 10.0.1.1 mtu 1500'],
    ['255.255.255.255', 'broadcast wan from 203.0.113.1 mtu 1400'],
    ['224.0.0.251', 'multicast wan from 203.0.113.1 mtu 1400'],
    ['198.51.100.1', 'nowhere'],
    ['198.51.102.1', 'nowhere'],
  ])('to %s: %s', (destination, expected) => {
    expect(routing().output(destination)).toBe(expected)
  })
})

it('the source for a next hop is the first primary address that fits it, else the first, else that of another device', () => {
  const { made, links } = routing()
  const select = (device: string, nexthop: string) =>
    formatAddress(made.selectSource(links.byName(device)!.index, parseAddress(nexthop)!))
  expect(select('lan', '10.0.1.50')).toBe('10.0.1.1')
  expect(select('lan', '10.9.8.7')).toBe('10.9.0.1')
  expect(select('lan', '8.8.8.8')).toBe('10.0.1.1')
  expect(select('bare', '8.8.8.8')).toBe('10.0.1.1')
})

it('types of addresses are those of the local table, for one device if it is named', () => {
  const { made, links } = routing()
  const kind = (address: string, device?: string) =>
    TYPE_NAMES[made.addressType(parseAddress(address)!, device === undefined ? 0 : links.byName(device)!.index)]
  expect(kind('10.0.1.1')).toBe('local')
  expect(kind('10.0.1.1', 'lan')).toBe('local')
  expect(kind('10.0.1.1', 'wan')).toBe('unicast')
  expect(kind('10.0.1.255')).toBe('broadcast')
  expect(kind('255.255.255.255')).toBe('broadcast')
  expect(kind('224.0.0.9')).toBe('multicast')
  expect(kind('127.3.2.1')).toBe('local')
  expect(kind('8.8.8.8')).toBe('unicast')
  expect(kind('192.0.2.2')).toBe('unicast')
})

describe('a configuration that cannot be is refused by name', () => {
  const lan = { lan: { addresses: ['10.0.1.1/24'] } }
  it.each<[RouterConfig, RegExp]>([
    [{ devices: { lan: { addresses: ['10.0.1.1'] } } }, /devices\.lan\.addresses: '10\.0\.1\.1'/],
    [{ devices: { lan: { addresses: ['10.0.1.1/33'] } } }, /10\.0\.1\.1\/33/],
    [{ devices: { lan: { mtu: 67 } } }, /devices\.lan\.mtu: 67: expected 68 to 65535/],
    [{ devices: lan, routes: [{ to: '10.0.0.1/24', dev: 'lan' }] }, /routes: 10\.0\.0\.1\/24/],
    [{ devices: lan, routes: [{ to: 'default', dev: 'eth9' }] }, /there is no device 'eth9'/],
    [{ devices: lan, routes: [{ to: 'default', via: '10.9.9.9' }] }, /expected 'dev', or a 'via' on a link/],
    [{ devices: lan, routes: [{ to: 'default', via: 'router' }] }, /via: 'router'/],
    [{ devices: lan, routes: [{ to: 'default' }] }, /expected 'dev', or a 'via'/],
  ])('%j', (config, message) => {
    expect(() => routing({}, config)).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG', message: expect.stringMatching(message) }),
    )
  })

  it('a device that was not handed in', () => {
    expect(() => buildLinks({ devices: lan }, new Map())).toThrow(/'lan' is configured, but no such device/)
  })
})
