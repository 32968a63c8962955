// The router that is measured, and its rules: an ordinary gateway between clients and servers.

import { readFileSync } from 'node:fs'
import type { RouterConfig } from '../../src/config.ts'
import { ROOT } from '../root.ts'

export const CONFIG: RouterConfig = {
  devices: {
    lan: { addresses: ['10.0.0.1/24'], mtu: 1500 },
    wan: { addresses: ['203.0.113.1/24'], mtu: 1500 },
  },
  routes: [
    { to: '10.0.0.0/8', via: '10.0.0.2', dev: 'lan' },
    { to: 'default', via: '203.0.113.2', dev: 'wan' },
  ],
}

/** The same for IPv6. */
export const CONFIG6: RouterConfig = {
  devices: {
    lan: { addresses: ['fd00:0:1::1/64'], mtu: 1500 },
    wan: { addresses: ['2001:db8:1::1/64'], mtu: 1500 },
  },
  routes: [
    { to: 'fd00:1::/32', via: 'fd00:0:1::2', dev: 'lan' },
    { to: '::/0', via: '2001:db8:1::2', dev: 'wan' },
  ],
}

/** 20 rules in FORWARD, the last but one of which accepts established flows, and MASQUERADE; the same for every router. */
export const RULES_FILE = `${ROOT}bench/rules.v4`

export function rules(): string {
  return readFileSync(RULES_FILE, 'utf8')
}

/** As many for IPv6, and of the same kinds. */
export function rules6(): string {
  return readFileSync(`${ROOT}bench/rules.v6`, 'utf8')
}
