// Names of protocols and services, handed in: this folder stands below the rule language, which has the tables.

export interface Names {
  protocolNumber(name: string): number | undefined
  /** The number where there is no name. */
  protocolName(number: number): string
  /** Port by service name for one protocol. */
  servicePort(name: string, protocol?: string): number | undefined
}
