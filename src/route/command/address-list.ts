// `ip address show`: the devices of a router with their addresses.

import { type Link, type LinkAddress, LOOPBACK } from '../../device/link.ts'
import * as ipv6 from '../../wire/ipv6.ts'
import { type Words as Address, holds } from '../entry.ts'
import { primaryOf } from '../own.ts'
import { type Family, formatWords, type Prefix, prefixOf } from './prefix.ts'
import type { How, IpRouter } from './router.ts'
import { IpFault, Words } from './words.ts'

interface Shown {
  readonly family: Family
  readonly local: Address
  readonly prefixLength: number
  readonly peer?: Address
  readonly broadcast?: number
  readonly scope: 'global' | 'link' | 'host'
  readonly secondary: boolean
}

const FLAGS = ['POINTOPOINT', 'MULTICAST', 'NOARP', 'UP', 'LOWER_UP']
const LOOPBACK_FLAGS = ['LOOPBACK', 'UP', 'LOWER_UP']
/** What Linux says of lo; packets here are no longer than an IP header can tell. */
const LOOPBACK_MTU = 65_536

export function listAddresses(router: IpRouter, args: readonly string[], how: How): string {
  const words = new Words(args)
  let dev: string | undefined
  let within: Prefix | undefined
  while (!words.done) {
    const word = words.next()
    if (word === 'to') within = prefixOf(words.next(), args.some((each) => each.includes(':')) ? 6 : 4)
    else if (word === 'up') continue
    else dev = word === 'dev' ? words.next() : word
  }
  const wanted = dev === undefined ? undefined : router.links.byName(dev)
  if (dev !== undefined && wanted === undefined) throw new IpFault(`Device "${dev}" does not exist.\n`, 1)
  const narrowed = how.family !== undefined || within !== undefined
  const links = router.links.all
    .filter((link) => wanted === undefined || link === wanted)
    .map((link) => ({ link, addresses: shownOf(router, link, how.family, within) }))
    .filter(({ addresses }) => !narrowed || addresses.length > 0)
  if (how.json) return `${JSON.stringify(links.map(({ link, addresses }) => linkJson(link, addresses)))}\n`
  if (how.oneline)
    return links
      .flatMap(({ link, addresses }) =>
        addresses.map((own) => `${link.index}: ${link.name}    ${textOf(own, link, '\\')}`),
      )
      .join('')
  return links.map(({ link, addresses }) => linkText(link, addresses, !narrowed)).join('')
}

function linkText(link: Link, addresses: readonly Shown[], whole: boolean): string {
  const { flags, mtu, state, address } = stateOf(link)
  const how = `mtu ${mtu} qdisc noqueue state ${state} group default qlen 1000`
  const head = `${link.index}: ${link.name}: <${flags.join(',')}> ${how}\n`
  const lower = whole ? `    link/${address}\n` : ''
  return head + lower + addresses.map((own) => `    ${textOf(own, link, '\n')}`).join('')
}

function stateOf(link: Link) {
  if (link.index === LOOPBACK)
    return {
      flags: LOOPBACK_FLAGS,
      mtu: LOOPBACK_MTU,
      state: 'UNKNOWN',
      address: 'loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00',
    }
  return { flags: FLAGS, mtu: link.mtu, state: link.alive ? 'UNKNOWN' : 'DOWN', address: 'none ' }
}

function textOf(own: Shown, link: Link, newline: string): string {
  const { family, local, prefixLength, peer, broadcast, scope, secondary } = own
  const address = peer === undefined ? `${formatWords(local)}` : `${formatWords(local)} peer ${formatWords(peer)}`
  const words = [
    family === 4 ? 'inet' : 'inet6',
    `${address}/${prefixLength}`,
    broadcast !== undefined && `brd ${formatWords([broadcast])}`,
    `scope ${scope}`,
    secondary && 'secondary',
    family === 4 && link.name,
  ].filter(Boolean)
  const end = family === 4 ? '' : ' '
  return `${words.join(' ')}${end}${newline}       valid_lft forever preferred_lft forever\n`
}

function linkJson(link: Link, addresses: readonly Shown[]): object {
  const { flags, mtu, state } = stateOf(link)
  const forever = 0xffffffff
  const loopback = link.index === LOOPBACK
  return {
    ifindex: link.index,
    ifname: link.name,
    flags,
    mtu,
    qdisc: 'noqueue',
    operstate: state,
    group: 'default',
    txqlen: 1000,
    link_type: loopback ? 'loopback' : 'none',
    ...(loopback && { address: '00:00:00:00:00:00', broadcast: '00:00:00:00:00:00' }),
    addr_info: addresses.map(({ family, local, peer, prefixLength, broadcast, scope, secondary }) => ({
      family: family === 4 ? 'inet' : 'inet6',
      local: formatWords(local),
      ...(peer && { address: formatWords(peer) }),
      prefixlen: prefixLength,
      ...(broadcast !== undefined && { broadcast: formatWords([broadcast]) }),
      scope,
      ...(secondary && { secondary: true }),
      ...(family === 4 && { label: link.name }),
      valid_life_time: forever,
      preferred_life_time: forever,
    })),
  }
}

/** In Linux's order: primary addresses before secondary ones, then IPv6's, the widest scope first and the newest of equals first. */
function shownOf(router: IpRouter, link: Link, family: Family | undefined, within: Prefix | undefined): Shown[] {
  const isSecondary = (own: LinkAddress) => primaryOf(link, own) !== own
  const sorted = [...link.addresses].sort((a, b) => Number(isSecondary(a)) - Number(isSecondary(b)))
  const four = sorted.map(
    (own): Shown => ({
      family: 4,
      local: [own.address],
      prefixLength: own.prefixLength,
      ...(own.peer !== undefined && { peer: [own.peer] }),
      ...(own.broadcast !== undefined && { broadcast: own.broadcast }),
      scope: 'global',
      secondary: isSecondary(own),
    }),
  )
  const six = router.routing6.addressesOf(link.index).map((local): Shown => {
    const own = link.addresses6.find(({ address }) => address === local)
    const scope = ipv6.isLinkLocal(local[0]) ? 'link' : 'global'
    const { prefixLength = 128, peer } = own ?? {}
    return { family: 6, local, prefixLength, ...(peer && { peer }), scope, secondary: false }
  })
  if (link.index === LOOPBACK) {
    four.unshift({ family: 4, local: [0x7f000001], prefixLength: 8, scope: 'host', secondary: false })
    six.push({ family: 6, local: [0, 0, 0, 1], prefixLength: 128, scope: 'host', secondary: false })
  }
  return [...(family === 6 ? [] : four), ...(family === 4 ? [] : six)].filter(
    ({ local }) =>
      within === undefined || (within.network.length === local.length && holds(within.network, within.length, local)),
  )
}
