// `ip address`: the addresses of a router's devices, shown and changed. With an address go the routes that the kernel made of it, and
// what else cannot be without it (fib_del_ifaddr, fib_sync_down_addr, inet6_addr_del).

import { type Link, type LinkAddress, type LinkAddress6, LOOPBACK } from '../../device/link.ts'
import * as ipv6 from '../../wire/ipv6.ts'
import { type Words as Address, holds, PROTOCOL_KERNEL, type RouteEntry, sameWords, TABLE_MAIN } from '../entry.ts'
import { ownRoutes, ownRoutes6, primaryOf } from '../own.ts'
import { listAddresses } from './address-list.ts'
import { addressOf, BITS, type Family, formatWords, prefixOf } from './prefix.ts'
import { type How, type IpRouter, linkOf } from './router.ts'
import { answered, IpFault, refused, USAGE, Words } from './words.ts'

interface AddressWords {
  family: Family
  local?: Address
  /** Of the prefix; undefined where only an address was said. */
  length?: number
  peer?: Address
  /** Shown as brd. */
  broadcast?: number
  dev?: string
}

export function addressCommand(router: IpRouter, args: readonly string[], how: How): string {
  const [command = 'list', ...rest] = args
  switch (command) {
    case 'add':
    case 'a':
      add(router, read(rest, how))
      return ''
    case 'delete':
    case 'del':
    case 'd':
      remove(router, read(rest, how))
      return ''
    case 'flush':
      flush(router, rest, how)
      return ''
    case 'list':
    case 'lst':
    case 'show':
    case 'sh':
    case 's':
    case 'l':
    case 'ls':
      return listAddresses(router, rest, how)
    default:
      throw new IpFault(`Command "${command}" is unknown, try "ip address help".\n`, USAGE)
  }
}

function read(args: readonly string[], how: How): AddressWords {
  const words = new Words(args)
  const isSix = args.some((word) => word.includes(':'))
  const said: AddressWords = { family: how.family ?? (isSix ? 6 : 4) }
  while (!words.done) {
    const word = words.next()
    switch (word) {
      case 'dev':
        said.dev = words.next()
        break
      case 'peer':
      case 'remote': {
        const peer = prefixOf(words.next(), said.family)
        said.peer = peer.network
        said.length = peer.length
        break
      }
      case 'broadcast':
      case 'brd':
        said.broadcast = broadcast(words.next(), said)
        break
      case 'scope':
        words.next()
        throw new IpFault(
          'Error: "scope" is not supported here: an address has the scope that it says itself.\n',
          USAGE,
        )
      case 'nodad':
        // Nobody looks for duplicates on these links.
        break
      default: {
        const text = word === 'local' ? words.next() : word
        const own = prefixOf(text, said.family)
        said.local = own.network
        if (text.includes('/')) said.length ??= own.length
      }
    }
  }
  return said
}

function broadcast(word: string, { family, local, length = 32 }: AddressWords): number | undefined {
  if (family === 6) throw new IpFault('Error: Broadcast addresses are for IPv4.\n', 1)
  const all = (local?.[0] ?? 0) | (length === 0 ? -1 : ~(-1 << (32 - length))) | 0
  if (word === '-') return undefined
  if (word !== '+' && addressOf(word, 4)[0] !== all)
    throw new IpFault(`Error: "${word}" is not supported here: the broadcast address is that of the prefix.\n`, USAGE)
  return all
}

function deviceOf(router: IpRouter, said: AddressWords): Link {
  if (said.dev === undefined) throw new IpFault('Not enough information: "dev" argument is required.\n', 1)
  return router.links.at(linkOf(router, said.dev))
}

function add(router: IpRouter, said: AddressWords): void {
  const link = deviceOf(router, said)
  const { local, family, peer } = said
  if (local === undefined) throw answered('EOPNOTSUPP')
  const prefixLength = said.length ?? BITS[family]
  if (family === 4) {
    const own: LinkAddress = {
      address: local[0],
      prefixLength,
      ...(peer && { peer: peer[0] }),
      ...(said.broadcast !== undefined && { broadcast: said.broadcast }),
    }
    if (link.addresses.some((other) => sameOwn(other, own))) throw refused('ipv4: Address already assigned.')
    link.addresses = [...link.addresses, own]
    for (const route of ownRoutes(link, own)) router.routing.tables.insert(route, 'append')
    return router.routing.renew()
  }
  if (link.mtu < ipv6.MIN_MTU) throw answered('EINVAL')
  const own: LinkAddress6 = { address: local, prefixLength, ...(peer && { peer }) }
  if (link.addresses6.some(({ address }) => sameWords(address, local))) throw refused('ipv6: address already assigned.')
  link.addresses6 = [...link.addresses6, own]
  for (const route of ownRoutes6(link, own, router.forwards6)) router.routing6.tables.insert(route, 'append')
  router.routing6.renew()
}

function sameOwn(a: LinkAddress, b: LinkAddress): boolean {
  const mask = a.prefixLength === 0 ? 0 : -1 << (32 - a.prefixLength)
  return (
    a.address === b.address &&
    a.prefixLength === b.prefixLength &&
    (((a.peer ?? a.address) ^ (b.peer ?? b.address)) & mask) === 0
  )
}

function remove(router: IpRouter, said: AddressWords): void {
  const link = deviceOf(router, said)
  const { local, family, length } = said
  if (local === undefined) throw answered('EOPNOTSUPP')
  if (family === 6) {
    const found = link.addresses6.find(
      ({ address, prefixLength }) => sameWords(address, local) && prefixLength === (length ?? 128),
    )
    if (found === undefined) throw refused('ipv6: address not found.')
    return gone6(router, link, [found])
  }
  const found = link.addresses.find(
    ({ address, prefixLength }) => address === local[0] && (length === undefined || prefixLength === length),
  )
  if (found === undefined) throw refused('ipv4: Address not found.')
  gone(router, link, [found])
  if (length === undefined) throw new IpFault(wildcard(formatWords(local)), 0)
}

function wildcard(address: string): string {
  return `Warning: Executing wildcard deletion to stay compatible with old scripts.
         Explicitly specify the prefix length (${address}/32) to avoid this warning.
         This special behaviour is likely to disappear in further releases,
         fix your scripts!
`
}

function flush(router: IpRouter, args: readonly string[], how: How): void {
  if (args.length === 0) throw new IpFault('Flush requires arguments.\n', 1)
  const words = new Words(args)
  let dev: string | undefined
  let within: ReturnType<typeof prefixOf> | undefined
  while (!words.done) {
    const word = words.next()
    if (word === 'to') within = prefixOf(words.next(), how.family ?? (words.peek?.includes(':') ? 6 : 4))
    else dev = word === 'dev' ? words.next() : word
  }
  const links = dev === undefined ? router.links.all : [router.links.at(linkOf(router, dev))]
  const meant = (address: Address) =>
    within === undefined || (within.network.length === address.length && holds(within.network, within.length, address))
  for (const link of links) {
    if (how.family !== 6)
      gone(
        router,
        link,
        link.addresses.filter(({ address }) => meant([address])),
      )
    if (how.family !== 4)
      gone6(
        router,
        link,
        link.addresses6.filter(({ address }) => meant(address)),
      )
  }
}

/** Addresses of a device go, with their secondary ones unless those take their place. */
function gone(router: IpRouter, link: Link, which: readonly LinkAddress[]): void {
  if (which.length === 0) return
  const { tables } = router.routing
  const lost = new Set(which)
  if (!router.promotes) for (const own of link.addresses) if (lost.has(primaryOf(link, own))) lost.add(own)
  const kept = link.addresses.filter((own) => !lost.has(own))
  tables.drop((entry) => isOwnOf(entry, link))
  link.addresses = kept
  for (const own of kept) for (const route of ownRoutes(link, own)) tables.insert(route, 'append')
  for (const { address } of lost) {
    const isLeft = router.links.all.some(({ addresses }) => addresses.some((own) => own.address === address))
    if (!isLeft) tables.drop(({ source, table }) => table === TABLE_MAIN && source?.[0] === address)
    router.addressGone(link, [address])
  }
  // A device without an address has no part in IPv4.
  if (kept.length === 0 && link.index !== LOOPBACK)
    tables.drop(({ hops }) => hops.some((hop) => hop.link === link.index))
  router.routing.renew()
}

function gone6(router: IpRouter, link: Link, which: readonly LinkAddress6[]): void {
  if (which.length === 0) return
  const { tables } = router.routing6
  const lost = new Set(which)
  const kept = link.addresses6.filter((own) => !lost.has(own))
  const before = link.addresses6.flatMap((own) => ownRoutes6(link, own, router.forwards6))
  link.addresses6 = kept
  const after = kept.flatMap((own) => ownRoutes6(link, own, router.forwards6))
  const key = (entry: RouteEntry) => `${entry.type} ${entry.network} ${entry.prefixLength}`
  const stays = new Set(after.map(key))
  const goes = new Set(before.map(key).filter((made) => !stays.has(made)))
  tables.drop((entry) => isOwnOf(entry, link) && goes.has(key(entry)))
  for (const { address } of lost) {
    for (const entry of tables.all)
      if (entry.source !== undefined && sameWords(entry.source, address))
        tables.exchange(entry, { ...entry, source: undefined })
    router.addressGone(link, address)
  }
  router.routing6.renew()
}

function isOwnOf({ protocol, hops }: RouteEntry, link: Link): boolean {
  return protocol === PROTOCOL_KERNEL && hops.length === 1 && hops[0].link === link.index
}
