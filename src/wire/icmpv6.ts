// ICMPv6 layout, types and codes (RFC 4443, RFC 4861, RFC 2710, RFC 3810, RFC 4286). `o` is the offset of the ICMPv6 header. Types
// below 128 are errors, which quote the packet that caused them.

export const HEADER = 8

export const TYPE = 0
export const CODE = 1
export const CHECKSUM = 2
export const REST = 4
export const ID = 4
export const SEQUENCE = 6
/** 32 bits: of "packet too big". */
export const MTU = 4
/** 32 bits: of "parameter problem". */
export const POINTER = 4

export const DEST_UNREACHABLE = 1
export const PACKET_TOO_BIG = 2
export const TIME_EXCEEDED = 3
export const PARAMETER_PROBLEM = 4
export const ECHO = 128
export const ECHO_REPLY = 129
export const MLD_QUERY = 130
export const MLD_REPORT = 131
export const MLD_DONE = 132
export const ROUTER_SOLICITATION = 133
export const ROUTER_ADVERTISEMENT = 134
export const NEIGHBOUR_SOLICITATION = 135
export const NEIGHBOUR_ADVERTISEMENT = 136
export const REDIRECT = 137
export const NODE_INFORMATION_QUERY = 139
export const NODE_INFORMATION_REPLY = 140
export const MLD2_REPORT = 143
export const MULTICAST_ROUTER_ADVERTISEMENT = 151
export const MULTICAST_ROUTER_SOLICITATION = 152

// Codes of "destination unreachable".
export const NO_ROUTE = 0
export const ADMIN_PROHIBITED = 1
export const BEYOND_SCOPE = 2
export const ADDRESS_UNREACHABLE = 3
export const PORT_UNREACHABLE = 4
export const POLICY_FAIL = 5
export const REJECT_ROUTE = 6

export const EXCEEDED_HOP_LIMIT = 0
export const EXCEEDED_REASSEMBLY = 1

// Codes of "parameter problem".
export const HEADER_FIELD = 0
export const UNKNOWN_NEXT_HEADER = 1
export const UNKNOWN_OPTION = 2
/** RFC 7112. */
export const INCOMPLETE_CHAIN = 3

/** Whether messages of this type quote the packet that caused them. */
export function isError(type: number): boolean {
  return type < 128
}

/** Whether messages of this type ask for an answer from beyond the link. */
export function isRequest(type: number): boolean {
  return type === ECHO || type === NODE_INFORMATION_QUERY
}

/** Whether messages of this type carry an identifier that pairs request and reply. */
export function hasIdentifier(type: number): boolean {
  return inverseType(type) >= 0
}

/** The type of the message that answers, or that was answered by, one of this type; -1 for types that pair with none. */
export function inverseType(type: number): number {
  switch (type) {
    case ECHO:
      return ECHO_REPLY
    case ECHO_REPLY:
      return ECHO
    case NODE_INFORMATION_QUERY:
      return NODE_INFORMATION_REPLY
    case NODE_INFORMATION_REPLY:
      return NODE_INFORMATION_QUERY
    default:
      return -1
  }
}
