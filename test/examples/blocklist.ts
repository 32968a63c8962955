// An example: a program that keeps rules of its own, on a gateway that runs (`tunfilter up --control`) or on an engine of its own.
// It makes a chain, jumps to it from INPUT once however often it is started, and lets what it was told to block be seen.
//
//     node blocklist.ts 192.0.2.0/24 198.51.100.7

import { Iptables, IptablesError } from '../../src/index.ts'

const CHAIN = 'BLOCKLIST'

/** Drops packets from these networks, and from no others that were blocked here before. @returns what is blocked now */
export async function block(iptables: Iptables, networks: readonly string[]): Promise<string[]> {
  await iptables.clearChain('filter', CHAIN)
  await iptables.insertUnique('filter', 'INPUT', 1, ['-j', CHAIN])
  for (const network of networks) {
    try {
      await iptables.appendUnique('filter', CHAIN, ['-s', network, '-j', 'DROP'])
    } catch (error) {
      if (!(error instanceof IptablesError) || error.code !== 'ERR_IPTABLES_USAGE') throw error
      console.error(`${network} is passed over: ${error.message}`)
    }
  }
  const stats = await iptables.stats('filter', CHAIN)
  return stats.map(({ source }) => source)
}

/** How many packets of each network were dropped. */
export async function dropped(iptables: Iptables): Promise<Map<string, bigint>> {
  return new Map((await iptables.stats('filter', CHAIN)).map(({ source, packets }) => [source, packets]))
}

export async function unblock(iptables: Iptables): Promise<void> {
  await iptables.deleteIfExists('filter', 'INPUT', ['-j', CHAIN])
  await iptables.clearAndDeleteChain('filter', CHAIN)
}

if (process.argv[1]?.endsWith('blocklist.ts')) console.log(await block(Iptables.at(), process.argv.slice(2)))
