// What a scenario is run against: the kernel (test/kernel/rig.ts) or the engine (engine.ts here).

/** Packets that left, by device, each in its order. */
export type Sent = ReadonlyMap<string, readonly Uint8Array[]>

export interface Subject {
  /** How many seconds a conntrack timeout may be below what the file says: the kernel's clock does not stand still. */
  readonly slack: number
  /** Loads one family's rules instead of all that it had. */
  load(rules: string, family: 4 | 6): void | Promise<void>
  /** Does a command of ip (`route add default via 10.0.1.9`). Throws where it fails. */
  ip(command: string): void | Promise<void>
  /** Hands in packets and returns all that came of them. `expected` is how many are expected, to wait no longer than needed. */
  exchange(device: string, packets: readonly Uint8Array[], expected: number): Sent | Promise<Sent>
  pause(milliseconds: number): void | Promise<void>
  /** As iptables-save -c, or ip6tables-save -c. */
  counters(family: 4 | 6): string | Promise<string>
  /** As conntrack -L -o extended. */
  conntrack(): string | Promise<string>
  /** The LOG lines since the last call, or undefined where they cannot be had. */
  log(): readonly string[] | undefined | Promise<readonly string[] | undefined>
  close(): void | Promise<void>
}
