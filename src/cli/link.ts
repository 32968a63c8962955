// `tunfilter link`: a directory of drop-ins. Put first on PATH, it makes programs that call iptables talk to the gateway.

import { existsSync, lstatSync, mkdirSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { nativeClient } from '../control/client.ts'
import { TunfilterError } from '../errors.ts'

const VARIANTS = ['', '-legacy', '-nft']

/** Names of the drop-ins. */
export const LINKS: readonly string[] = [
  ...['iptables', 'ip6tables'].flatMap((name) =>
    VARIANTS.flatMap((variant) => ['', '-save', '-restore'].map((what) => `${name}${variant}${what}`)),
  ),
  'xtables-legacy-multi',
  'xtables-nft-multi',
  'iptables-xml',
  'ipset',
  'conntrack',
  'nfacct',
]

export function linkCommand(): Command {
  return new Command('link')
    .description('make a directory of drop-ins: iptables and its kin, talking to the running gateway')
    .argument('<directory>', 'made if it is not there; put it first on PATH')
    .action((directory: string) => {
      const client = nativeClient()
      if (client === undefined)
        throw new TunfilterError('ERR_NATIVE_MISSING', 'the native client is not built: run scripts/build-native')
      const target = resolve(client)
      mkdirSync(directory, { recursive: true })
      for (const name of LINKS) link(join(directory, name), target)
      process.stdout.write(`export PATH=${resolve(directory)}:$PATH\n`)
    })
}

function link(path: string, target: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found?.isSymbolicLink() && (readlinkSync(path) === target || !existsSync(path))) unlinkSync(path)
  else if (found !== undefined)
    throw new TunfilterError(
      'ERR_LINK',
      `${path}: there is something else already: expected a directory for drop-ins alone`,
    )
  symlinkSync(target, path)
}
