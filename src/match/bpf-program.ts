// Classic BPF (McCanne and Jacobson, "The BSD Packet Filter", 1993) as Linux's socket filters have it: a program as text, the checks that
// it has to pass, and running it over a packet from its IP header on. A checked program ends, and touches nothing but the packet
// and its own sixteen words. A load from beyond the packet, and a division by 0, end it with 0.

import type { Packet } from '../packet/packet.ts'
import { Problem, shown } from '../rule/option.ts'

export interface Instruction {
  readonly code: number
  /** How many instructions are passed over where a comparison holds, and where it does not. */
  readonly yes: number
  readonly no: number
  /** uint32. */
  readonly k: number
}

const MAX = 64
const MEMORY = 16

// Fields of the code.
const CLASS = 7
const LD = 0
const LDX = 1
const ST = 2
const STX = 3
const ALU = 4
const JMP = 5
const RET = 6
const MISC = 7
const MODE = 0xe0
const IMM = 0
const ABS = 0x20
const IND = 0x40
const MEM = 0x60
const LEN = 0x80
const MSH = 0xa0
const SIZE = 0x18
const WORD = 0
const HALF = 8
const BYTE = 0x10
const OPERATION = 0xf0
const X = 8
const RET_A = 0x10

const ALU_NAMES = ['+', '-', '*', '/', '|', '&', '<<', '>>', '-x', '%', '^'] as const
const JMP_NAMES = ['always', '=', '>', '>=', '&'] as const

/** Absolute loads from here on are of what Linux knows of the packet beside its bytes. */
const ANCILLARY = 0xfffff000
const AD_PROTOCOL = 0
const AD_PKTTYPE = 4
const AD_IFINDEX = 8
const AD_MARK = 20
const AD_CPU = 36
const AD_XOR_X = 40
const AD_RANDOM = 56
const ANCILLARIES = [AD_PROTOCOL, AD_PKTTYPE, AD_IFINDEX, AD_MARK, AD_CPU, AD_XOR_X, AD_RANDOM]
/** From here up to ANCILLARY, places from the network header and from the link's: both begin with the packet. */
const NET = 0xfff00000
const LINK = 0xffe00000

const EXPECTS = `the number of instructions, 1 to ${MAX}, then each as CODE YES NO K in decimal, all joined by commas`

/** As iptables reads it: counts are decimal, numbers wrap at their size, and what stands behind the last instruction is passed over. */
export function readProgram(text: string): readonly Instruction[] | Problem {
  const count = Number(/^\s*\+?(\d+)\s*(?=,|$)/.exec(text)?.[1])
  if (!(count >= 1 && count <= MAX)) return new Problem(`${shown(text)} has no length: expected ${EXPECTS}`)
  const parts = text.split(',').slice(1)
  const program: Instruction[] = []
  for (let i = 0; i < count; i++) {
    const found = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)/.exec(parts[i] ?? '')
    if (found === null)
      return new Problem(
        parts[i] === undefined
          ? `there are ${i} instructions where ${count} are announced: expected ${EXPECTS}`
          : `instruction ${i} ${shown(parts[i])} is not understood: expected ${EXPECTS}`,
      )
    const [code, yes, no, k] = found.slice(1).map(Number)
    program.push({ code: code & 0xffff, yes: yes & 0xff, no: no & 0xff, k: Number(BigInt(found[4]) & 0xffffffffn) })
    if (k > 0xffffffff || code > 0xffff || yes > 255 || no > 255)
      return new Problem(`instruction ${i} ${shown(parts[i])} is out of range: expected ${EXPECTS}`)
  }
  const more = parts.slice(count)
  if (more.length > 1 || (more.length === 1 && more[0] !== ''))
    return new Problem(`there are more than ${count} instructions: expected ${EXPECTS}`)
  const wrong = check(program)
  return wrong === undefined ? program : new Problem(wrong, 0, 'tables')
}

export function formatProgram(program: readonly Instruction[]): string {
  return `"${program.length},${formatInstructions(program)}"`
}

export function formatInstructions(program: readonly Instruction[]): string {
  return program.map(({ code, yes, no, k }) => `${code} ${yes} ${no} ${k}`).join(',')
}

/** What Linux would refuse, or undefined. */
function check(program: readonly Instruction[]): string | undefined {
  for (const [i, { code, yes, no, k }] of program.entries()) {
    const wrong = (why: string) => `instruction ${i} (${code} ${yes} ${no} ${k}) ${why}`
    if (!isKnown(code)) return wrong('has an unknown code')
    const left = program.length - i - 1
    const kind = code & CLASS
    if (kind === JMP) {
      const far = (code & OPERATION) === 0 ? k : Math.max(yes, no)
      if (far >= left) return wrong('jumps behind the end')
    }
    if ((kind === ST || kind === STX || (kind <= LDX && (code & MODE) === MEM)) && k >= MEMORY)
      return wrong(`names a word of memory that is not there: expected 0 to ${MEMORY - 1}`)
    if (kind === ALU && (code & X) === 0) {
      const operation = ALU_NAMES[(code & OPERATION) >> 4]
      if ((operation === '/' || operation === '%') && k === 0) return wrong('divides by 0')
      if ((operation === '<<' || operation === '>>') && k > 31) return wrong('shifts by more than 31')
    }
    if (kind === LD && (code & MODE) === ABS && k >= ANCILLARY && !ANCILLARIES.includes(k - ANCILLARY))
      return wrong('loads what is not known of a packet here')
  }
  if ((program[program.length - 1].code & CLASS) !== RET) return 'the last instruction is no return'
  return unwritten(program)
}

function isKnown(code: number): boolean {
  const mode = code & MODE
  const size = code & SIZE
  switch (code & CLASS) {
    case LD:
      if (mode === IMM || mode === MEM || mode === LEN) return size === WORD
      return (mode === ABS || mode === IND) && size !== SIZE
    case LDX:
      if (mode === MSH) return size === BYTE
      return (mode === IMM || mode === MEM || mode === LEN) && size === WORD
    case ST:
    case STX:
      return (code & ~CLASS) === 0
    case ALU:
      return code >> 8 === 0 && (code & OPERATION) >> 4 < ALU_NAMES.length && code !== (ALU | 0x80 | X)
    case JMP:
      return code >> 8 === 0 && (code & OPERATION) >> 4 < JMP_NAMES.length && code !== (JMP | X)
    case RET:
      return code === RET || code === (RET | RET_A)
    default:
      return code === MISC || code === (MISC | 0x80)
  }
}

/** A word of memory must have been written on every way to where it is read. */
function unwritten(program: readonly Instruction[]): string | undefined {
  const written: number[] = new Array(program.length + 1).fill(0xffff)
  written[0] = 0
  for (const [i, { code, yes, no, k }] of program.entries()) {
    let words = written[i]
    const kind = code & CLASS
    if (kind === ST || kind === STX) words |= 1 << k
    else if (kind <= LDX && (code & MODE) === MEM && (words & (1 << k)) === 0)
      return `instruction ${i} reads word ${k} of memory, which may not have been written`
    if (kind === RET) continue
    const to = kind !== JMP ? [0] : (code & OPERATION) === 0 ? [k] : [yes, no]
    for (const far of to) written[i + 1 + far] &= words
  }
  return undefined
}

/** What a program may ask for that does not lie in the packet. */
export interface Beside {
  /** The EtherType. */
  readonly protocol: number
  readonly random: () => number
}

/** A checked program, ready to run. Values are int32 here, compared as unsigned. */
export class BpfProgram {
  readonly #codes: Uint16Array
  readonly #yes: Uint8Array
  readonly #no: Uint8Array
  readonly #ks: Int32Array
  readonly #memory = new Int32Array(MEMORY)
  readonly #beside: Beside
  /** Set by a load from beyond the packet. */
  #failed = false

  constructor(program: readonly Instruction[], beside: Beside) {
    this.#codes = Uint16Array.from(program, ({ code }) => code)
    this.#yes = Uint8Array.from(program, ({ yes }) => yes)
    this.#no = Uint8Array.from(program, ({ no }) => no)
    this.#ks = Int32Array.from(program, ({ k }) => k | 0)
    this.#beside = beside
  }

  /** What it returns of a packet, as int32. */
  run(p: Packet): number {
    const memory = this.#memory
    let a = 0
    let x = 0
    this.#failed = false
    for (let i = 0; ; i++) {
      const code = this.#codes[i]
      const k = this.#ks[i]
      switch (code & CLASS) {
        case LD:
          a = this.#value(p, code, k, x, a)
          if (this.#failed) return 0
          break
        case LDX:
          x = (code & MODE) === MSH ? (this.#load(p, k, BYTE) & 15) << 2 : this.#value(p, code, k, x, a)
          if (this.#failed) return 0
          break
        case ST:
          memory[k] = a
          break
        case STX:
          memory[k] = x
          break
        case ALU: {
          const operand = (code & X) !== 0 ? x : k
          const operation = (code & OPERATION) >> 4
          if (operand === 0 && (operation === 3 || operation === 9)) return 0
          a = calculate(operation, a, operand)
          break
        }
        case JMP: {
          const operation = (code & OPERATION) >> 4
          if (operation === 0) i += k
          else i += holds(operation, a, (code & X) !== 0 ? x : k) ? this.#yes[i] : this.#no[i]
          break
        }
        case RET:
          return code === RET ? k : a
        default:
          if (code === MISC) x = a
          else a = x
      }
    }
  }

  #value(p: Packet, code: number, k: number, x: number, a: number): number {
    switch (code & MODE) {
      case IMM:
        return k
      case MEM:
        return this.#memory[k]
      case LEN:
        return p.length
      case IND:
        return this.#load(p, (k + x) | 0, code & SIZE)
      default:
        return k >>> 0 >= ANCILLARY ? this.#ancillary(p, (k >>> 0) - ANCILLARY, x, a) : this.#load(p, k, code & SIZE)
    }
  }

  #ancillary(p: Packet, what: number, x: number, a: number): number {
    switch (what) {
      case AD_PROTOCOL:
        return this.#beside.protocol
      case AD_IFINDEX:
        return p.outLink !== 0 ? p.outLink : p.inLink
      case AD_MARK:
        return p.mark
      case AD_XOR_X:
        return a ^ x
      case AD_RANDOM:
        return this.#beside.random()
      default:
        return 0
    }
  }

  #load(p: Packet, place: number, size: number): number {
    // Below 0 as int32 are the places from the network header and from the link's.
    const at = place >= 0 ? place : place >= (NET | 0) ? place - (NET | 0) : place - (LINK | 0)
    const bytes = size === WORD ? 4 : size === HALF ? 2 : 1
    if (at < 0 || at + bytes > p.length) {
      this.#failed = true
      return 0
    }
    const from = p.start + at
    if (size === WORD) return p.view.getInt32(from)
    return size === HALF ? p.view.getUint16(from) : p.view.getUint8(from)
  }
}

function calculate(operation: number, a: number, operand: number): number {
  switch (operation) {
    case 0:
      return (a + operand) | 0
    case 1:
      return (a - operand) | 0
    case 2:
      return Math.imul(a, operand)
    case 3:
      return ((a >>> 0) / (operand >>> 0)) | 0
    case 4:
      return a | operand
    case 5:
      return a & operand
    case 6:
      return a << operand
    case 7:
      return (a >>> operand) | 0
    case 8:
      return -a | 0
    case 9:
      return ((a >>> 0) % (operand >>> 0)) | 0
    default:
      return a ^ operand
  }
}

function holds(operation: number, a: number, operand: number): boolean {
  switch (operation) {
    case 1:
      return a === operand
    case 2:
      return a >>> 0 > operand >>> 0
    case 3:
      return a >>> 0 >= operand >>> 0
    default:
      return (a & operand) !== 0
  }
}
