// The kernel as a router under test: a network namespace of its own with TUN devices, whose far ends are this process, and the
// rules loaded by Debian's iptables-legacy. The namespace is anonymous: it is gone when the rig is closed, or killed.
// The kernel forwards within the write call, so an answer is nearly always there when the write returns.

import { rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RouterConfig } from '../../src/config.ts'
import { loadNative, type Native, POLLIN } from '../../src/device/native.ts'
import { deviceSysctl } from '../../src/sysctl.ts'
import type { Subject } from '../support/scenario/subject.ts'
import { KernelLog } from './kmsg.ts'
import { routingCommands } from './routing.ts'
import { NamespaceShell } from './shell.ts'

const STRIDE = 65536
const SLOTS = 16

/** What a scenario may rely on: Linux's defaults, but for a router. Interfaces are made later and inherit `default`. */
const BASELINE: Record<string, number> = {
  'net.ipv6.conf.all.disable_ipv6': 0,
  'net.ipv6.conf.default.disable_ipv6': 0,
  'net.ipv6.conf.all.forwarding': 1,
  // No address that the configuration does not name: a TUN device's own would be random.
  'net.ipv6.conf.default.addr_gen_mode': 1,
  'net.ipv6.conf.default.accept_dad': 0,
  // Reports of multicast listeners are said at once and not seconds later, into somebody's counters.
  'net.ipv6.conf.all.mldv2_unsolicited_report_interval': 0,
  'net.ipv6.conf.default.mldv2_unsolicited_report_interval': 0,
  // Labels are a hash of the flow with a secret.
  'net.ipv6.auto_flowlabels': 0,
  'net.ipv4.ip_forward': 1,
  'net.ipv4.conf.all.rp_filter': 0,
  'net.ipv4.conf.all.send_redirects': 1,
  'net.ipv4.conf.all.route_localnet': 0,
  'net.ipv4.conf.all.accept_source_route': 0,
  'net.ipv4.conf.all.log_martians': 0,
}

const CHAINS: Record<string, string> = {
  raw: 'PREROUTING OUTPUT',
  mangle: 'PREROUTING INPUT FORWARD OUTPUT POSTROUTING',
  nat: 'PREROUTING INPUT OUTPUT POSTROUTING',
  filter: 'INPUT FORWARD OUTPUT',
  security: 'INPUT FORWARD OUTPUT',
}

function emptyTable(table: string): string {
  const chains = CHAINS[table]?.split(' ') ?? []
  return [`*${table}`, ...chains.map((chain) => `:${chain} ACCEPT [0:0]`), 'COMMIT'].join('\n')
}

/** How long the kernel reports what it listens to on new devices, in milliseconds; those packets would be counted. */
const LISTENER_REPORTS = 30

/**
 * Some of the kernel's housework (hashlimit's garbage collection) hangs on timers that do not wake an idle processor: on a quiet
 * machine it can be late by seconds. After a pause that may count on it, each processor is busy for longer than a tick.
 */
const HOUSEWORK_FROM = 100
const HOUSEWORK = cpus()
  .map((_, cpu) => `taskset -c ${cpu} timeout 0.02 sh -c 'while :; do :; done'; `)
  .concat('true')
  .join('')

/**
 * The kernel puts an address of IPv6 in force by work of its own, later on a busy machine. Until then it is marked as tentative, nothing is
 * said by it, and nothing for it arrives. The fifth field of a line are its marks.
 */
const ADDRESSES_IN_FORCE =
  "n=0; while grep -Eq '^([^ ]+ +){4}[4-7c-f][0-9a-f] ' /proc/net/if_inet6 && [ $n -lt 500 ]; do sleep 0.002; n=$((n+1)); done"

const until = (end: number) =>
  new Promise((resolve) => {
    setTimeout(resolve, Math.max(0, end - performance.now()))
  })

const commandOf = (family: 4 | 6) => (family === 4 ? 'iptables' : 'ip6tables')

/**
 * What the kernel says of its own accord on a link with IPv6, after a while and at random: reports of the groups that it
 * listens to (MLDv2), and solicitations of routers.
 */
function isHousekeeping(packet: Uint8Array): boolean {
  if (packet[0]! >> 4 !== 6 || packet[24] !== 0xff) return false
  if (packet[6] === 0) return packet[40] === 58 && [131, 132, 143].includes(packet[48]!)
  return packet[6] === 58 && packet[40] === 133
}

interface Far {
  readonly name: string
  readonly fd: number
}

const FAMILIES = [4, 6] as const

/** What a program reads, in a command of its own. */
const fed = (command: string, input: string) => `{ ${command} <<'END_OF_ITS_INPUT'\n${input}\nEND_OF_ITS_INPUT\n}`

/** Between the outputs of several programs. */
const NEXT = '<NEXT>'
const COUNT = '/proc/sys/net/netfilter/nf_conntrack_count'

/** So many packets do not come of one that goes in, but in a loop (a copy of a copy of what the router says to itself). */
const ENDLESS = 5000
/** A device's queue (`txQueueLength`), in batches of SLOTS. */
const BATCHES = 64

/** The kernel goes on and on: only the end of its namespace stops it. */
export class EndlessError extends Error {}

export interface RigState {
  readonly counters: ReadonlyMap<4 | 6, string>
  readonly conntrack: string
  readonly sets: string
}

export interface RigOptions {
  /**
   * How long nothing has to come before it is taken for nothing, in milliseconds; 3 when left out. The kernel has nearly
   * always answered when the write returns, so for many cases 0.2 will do: what came late would show in a later exchange.
   */
  readonly silence?: number
  /** How long to wait for packets that are expected. */
  readonly patience?: number
}

export class KernelRig implements Subject {
  readonly slack = 1
  private readonly native: Native
  private readonly netnsFd: number
  private readonly lockFile: string
  private readonly shell: NamespaceShell
  private readonly log_: KernelLog | undefined
  private readonly far: Far[] = []
  private readonly slab = new Uint8Array(STRIDE * SLOTS)
  private readonly descriptors = Int32Array.from({ length: 2 * SLOTS }, (_, i) => (i % 2 ? 0 : (i / 2) * STRIDE))
  private readonly silence: number
  /** When packets last went in. */
  private sentAt = performance.now()
  /**
   * By how many milliseconds, at most, a pause was longer than asked for, or packets came later than those before them: a busy machine. Where
   * rates are measured the kernel's clock has gone on, and a scenario's has not.
   */
  late = 0
  /** Since when nothing has been under way that may take its time. */
  private idleSince = performance.now()
  private readonly tables = { 4: new Set<string>(), 6: new Set<string>() }
  private readonly patience: number
  private accounting = 0

  private constructor(native: Native, options: RigOptions) {
    this.native = native
    this.silence = options.silence ?? 3
    this.patience = options.patience ?? 60
    this.netnsFd = native.anonymousNetns()
    // Its own lock file: otherwise every iptables on this machine would wait for every other.
    this.lockFile = join(tmpdir(), `tunfilter-rig-${process.pid}-${this.netnsFd}.lock`)
    this.shell = new NamespaceShell(`/proc/${process.pid}/fd/${this.netnsFd}`, { XTABLES_LOCKFILE: this.lockFile })
    this.log_ = KernelLog.open()
  }

  static async open(config: RouterConfig, options: RigOptions = {}): Promise<KernelRig> {
    const rig = new KernelRig(loadNative(), options)
    try {
      await rig.configure(config)
      return rig
    } catch (error) {
      await rig.close()
      throw error
    }
  }

  private get netns(): string {
    return `/proc/self/fd/${this.netnsFd}`
  }

  private async configure(config: RouterConfig): Promise<void> {
    const { native, netns } = this
    this.accounting = config.sysctl?.['net.netfilter.nf_conntrack_acct'] ?? 0
    const ofDevices = Object.entries(config.sysctl ?? {}).filter(([name]) => deviceSysctl(name) !== undefined)
    for (const [name, value] of Object.entries({ ...BASELINE, ...config.sysctl })) {
      if (deviceSysctl(name) !== undefined) continue
      this.sysctl(netns, name, value)
      if (/^net\.ipv[46]\.conf\.all\./.test(name)) this.sysctl(netns, name.replace('.all.', '.default.'), value)
    }
    native.setLink(netns, { name: 'lo', up: true })
    for (const [name, device] of Object.entries(config.devices)) {
      const { fd } = native.openTun({ name, netns })
      this.far.push({ name, fd })
      native.setLink(netns, { name, up: true, mtu: device.mtu ?? 1500, txQueueLength: 1000 })
      for (const text of device.addresses ?? []) {
        const [, address, peer, length] = /^([\da-f.:]+)(?: peer ([\da-f.:]+))?\/(\d+)$/i.exec(text) ?? []
        if (!address) throw new Error(`"${text}" is not an address (10.0.1.1/24, 10.0.1.1 peer 10.0.1.2/32)`)
        native.addAddress(netns, { name, address, prefixLength: Number(length), ...(peer && { peer }) })
      }
    }
    for (const [name, value] of ofDevices) this.sysctl(netns, name, value)
    if (Object.values(config.devices).some(({ addresses }) => addresses?.some((text) => text.includes(':'))))
      await this.shell.run(ADDRESSES_IN_FORCE)
    for (const command of routingCommands(config)) await this.shell.run(command)
    this.drain(0)
    this.idleSince = performance.now()
  }

  private sysctl(netns: string, name: string, value: number): void {
    const now = Number(this.native.readSysctl(netns, name))
    if (now !== value) this.native.writeSysctl(netns, name, String(value))
  }

  /** Loads the rules instead of all that was there before: a table that they do not name is emptied. */
  async load(rules: string, family: 4 | 6 = 4): Promise<void> {
    const text = await this.restored(this.log_?.tagged(rules) ?? rules, family)
    if (text !== '') await this.shell.run(`${commandOf(family)}-legacy-restore -w`, text)
    this.idleSince = performance.now()
  }

  /** What iptables-restore has to read for these rules to be all that there are; '' where none ever were. */
  private async restored(rules: string, family: 4 | 6): Promise<string> {
    const named = new Set([...rules.matchAll(/^\*\s*(\w+)/gm)].map(([, table]) => table!))
    const known = this.tables[family]
    if (family === 6 && named.size > 0 && known.size === 0) await until(performance.now() + LISTENER_REPORTS)
    const rest = [...known].filter((table) => !named.has(table)).map(emptyTable)
    for (const table of named) known.add(table)
    return known.size === 0 ? '' : [rules, ...rest].join('\n')
  }

  /**
   * As `reset` and `load` for both families, in one go: sets (what `ipset restore` reads) and rules as given, no flows, no log lines.
   * For many cases, of which each would otherwise be a dozen programs.
   */
  async begin(rules: Readonly<Record<4 | 6, string>>, sets = ''): Promise<void> {
    // A rule with connbytes switches accounting on, and it stays on when the rule is gone.
    const lines = [`echo ${this.accounting} > /proc/sys/net/netfilter/nf_conntrack_acct`]
    if (sets !== '') lines.push(fed('ipset restore', sets))
    const tagged = this.log_?.taggedAll([rules[4], rules[6]]) ?? [rules[4], rules[6]]
    for (const [i, family] of FAMILIES.entries()) {
      // First nothing: what rules with a name remember (recent, hashlimit) would go on under rules with the same.
      const before = [...this.tables[family]].map(emptyTable)
      const text = [...before, await this.restored(tagged[i]!, family)].join('\n')
      if (text !== '') lines.push(fed(`${commandOf(family)}-legacy-restore -w`, text))
    }
    // Flushing walks a large table even where there is nothing in it.
    const flush = 'conntrack -F -f ipv4; conntrack -F -f ipv6'
    lines.push(`{ read n < ${COUNT}; [ $n = 0 ] || { ${flush}; } >/dev/null 2>&1; }`)
    await this.shell.run(lines.join(' && '))
    this.drain(0)
    this.log_?.read()
    this.idleSince = performance.now()
  }

  /** Takes away all rules, then all sets: those that rules name cannot go. */
  async end(): Promise<void> {
    const lines: string[] = []
    for (const family of FAMILIES) {
      const text = await this.restored('', family)
      if (text !== '') lines.push(fed(`${commandOf(family)}-legacy-restore -w`, text))
    }
    await this.shell.run([...lines, 'ipset flush', 'ipset destroy'].join(' && '))
  }

  /** Counters of the families, flows, and with `sets` what `ipset save` prints: what is to be compared of many cases. */
  async state(families: readonly (4 | 6)[], sets: boolean): Promise<RigState> {
    const flows = families.map((family) => `conntrack -L -o extended -f ipv${family}`).join('; ')
    const commands = [
      ...families.map((family) => `${commandOf(family)}-legacy-save -c`),
      `{ read n < ${COUNT}; [ $n = 0 ] || { ${flows}; } 2>/dev/null; }`,
      sets ? 'ipset save' : 'true',
    ]
    const texts = (await this.shell.run(`{ ${commands.join(` && echo '${NEXT}' && `)}; }`)).split(`${NEXT}\n`)
    const counters = new Map(families.map((family, i) => [family, this.log_?.untagged(texts[i]!) ?? texts[i]!]))
    return { counters, conntrack: texts[families.length]!, sets: texts[families.length + 1]! }
  }

  async ip(command: string): Promise<void> {
    await this.shell.run(`ip ${command}`)
    if (/^(-\d+ )?a/.test(command)) await this.shell.run(ADDRESSES_IN_FORCE)
    this.idleSince = performance.now()
  }

  exchange(device: string, packets: readonly Uint8Array[], expected: number): Map<string, Uint8Array[]> {
    const far = this.far.find(({ name }) => name === device)
    if (!far) throw new Error(`no device ${device}`)
    const sent = new Map<string, Uint8Array[]>()
    this.sentAt = performance.now()
    const { idleSince } = this
    for (const packet of packets) {
      // A packet that TUN itself refuses (no version nibble, empty) has simply not arrived.
      this.slab.set(packet, 0)
      this.descriptors[1] = packet.length
      this.native.writeBatch(far.fd, this.slab, this.descriptors, 1, false)
      this.collect(sent)
    }
    this.late = Math.max(this.late, performance.now() - idleSince)
    this.drain(expected, sent)
    this.idleSince = performance.now()
    return sent
  }

  /** Reads until nothing has come for a while; longer while less than `expected` is there. */
  private drain(expected: number, sent = new Map<string, Uint8Array[]>()): void {
    const wait = Int32Array.from(this.far.flatMap(({ fd }) => [fd, POLLIN, 0]))
    for (;;) {
      const count = [...sent.values()].reduce((sum, packets) => sum + packets.length, 0)
      if (count > ENDLESS) throw new EndlessError(`more than ${ENDLESS} packets came of one`)
      const timeout = count < expected ? this.patience : this.silence
      if (this.native.poll(wait, this.far.length, timeout) <= 0) return
      if (!this.collect(sent)) return
    }
  }

  /** What is there by now; no more than is there at once, however fast more comes. */
  private collect(sent: Map<string, Uint8Array[]>): boolean {
    let any = false
    for (const { name, fd } of this.far) {
      for (let batches = 0; batches < BATCHES; batches++) {
        const count = this.native.readBatch(fd, this.slab, this.descriptors, SLOTS, STRIDE - 1, false)
        if (count <= 0) break
        any = true
        const packets: Uint8Array[] = []
        for (let i = 0; i < count; i++) {
          const packet = this.slab.slice(i * STRIDE, i * STRIDE + this.descriptors[2 * i + 1]!)
          if (!isHousekeeping(packet)) packets.push(packet)
        }
        if (packets.length > 0) sent.set(name, [...(sent.get(name) ?? []), ...packets])
      }
    }
    return any
  }

  /** Until so long after the last packets went in: what was looked at in between (counters, flows) takes time too, and is not added. */
  async pause(milliseconds: number): Promise<void> {
    const end = this.sentAt + milliseconds
    if (milliseconds >= HOUSEWORK_FROM) {
      await until(end - HOUSEWORK_FROM / 2)
      await this.shell.run(HOUSEWORK)
    }
    await until(end)
    this.late = Math.max(this.late, performance.now() - end)
    this.sentAt = end
    this.idleSince = performance.now()
  }

  async counters(family: 4 | 6 = 4): Promise<string> {
    const text = await this.shell.run(`${commandOf(family)}-legacy-save -c`)
    return this.log_?.untagged(text) ?? text
  }

  /** Runs a command inside the namespace. */
  shellRun(command: string, input?: string): Promise<string> {
    return this.shell.run(command, input)
  }

  conntrack(): Promise<string> {
    return this.shell.run('(conntrack -L -o extended -f ipv4; conntrack -L -o extended -f ipv6) 2>/dev/null')
  }

  log(): string[] | undefined {
    return this.log_?.read()
  }

  /** Forgets flows and rules, so that the next case finds the namespace as new: some milliseconds instead of a new one. */
  reset(): Promise<void> {
    return this.begin({ 4: '', 6: '' })
  }

  async close(): Promise<void> {
    await this.shell.close()
    this.log_?.close()
    for (const { fd } of this.far) this.native.close(fd)
    this.native.close(this.netnsFd)
    rmSync(this.lockFile, { force: true })
  }
}
