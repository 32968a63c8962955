// ICMP layout, types and codes (RFC 792, RFC 1122, RFC 1812). `o` is the offset of the ICMP header.

export const HEADER = 8

export const TYPE = 0
export const CODE = 1
export const CHECKSUM = 2
export const REST = 4
export const ID = 4
export const SEQUENCE = 6
export const MTU = 6
export const GATEWAY = 4

export const ECHO_REPLY = 0
export const DEST_UNREACHABLE = 3
export const SOURCE_QUENCH = 4
export const REDIRECT = 5
export const ECHO = 8
export const TIME_EXCEEDED = 11
export const PARAMETER_PROBLEM = 12
export const TIMESTAMP = 13
export const TIMESTAMP_REPLY = 14
export const INFO_REQUEST = 15
export const INFO_REPLY = 16
export const ADDRESS = 17
export const ADDRESS_REPLY = 18
/** The largest type that Linux knows; conntrack calls what is above it INVALID. */
export const MAX_TYPE = 18

export const NET_UNREACHABLE = 0
export const HOST_UNREACHABLE = 1
export const PROTOCOL_UNREACHABLE = 2
export const PORT_UNREACHABLE = 3
export const FRAGMENTATION_NEEDED = 4
export const SOURCE_ROUTE_FAILED = 5
export const NET_PROHIBITED = 9
export const HOST_PROHIBITED = 10
export const ADMIN_PROHIBITED = 13

export const EXCEEDED_TTL = 0
export const EXCEEDED_REASSEMBLY = 1

/** Whether messages of this type quote the packet that caused them. */
export function isError(type: number): boolean {
  return (
    type === DEST_UNREACHABLE ||
    type === SOURCE_QUENCH ||
    type === REDIRECT ||
    type === TIME_EXCEEDED ||
    type === PARAMETER_PROBLEM
  )
}

/** Whether messages of this type ask for an answer. */
export function isRequest(type: number): boolean {
  return type === ECHO || type === TIMESTAMP || type === INFO_REQUEST || type === ADDRESS
}

/** Whether messages of this type carry an identifier that pairs request and reply. */
export function hasIdentifier(type: number): boolean {
  return type === ECHO || type === ECHO_REPLY || (type >= TIMESTAMP && type <= ADDRESS_REPLY)
}

/** The type of the message that answers, or that was answered by, one of this type; -1 for types that pair with none. */
export function inverseType(type: number): number {
  switch (type) {
    case ECHO:
      return ECHO_REPLY
    case ECHO_REPLY:
      return ECHO
    case TIMESTAMP:
    case INFO_REQUEST:
    case ADDRESS:
      return type + 1
    case TIMESTAMP_REPLY:
    case INFO_REPLY:
    case ADDRESS_REPLY:
      return type - 1
    default:
      return -1
  }
}
