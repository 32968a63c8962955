// What the control side and the data plane say to each other. Orders go to the worker by its port; since it sits in a
// blocking call, each is announced twice: by a number that a busy worker looks at, and by an eventfd that wakes an idle one.

import type { SharedEvents } from '../conntrack/events.ts'
import type { SharedExtensions } from '../conntrack/extensions.ts'
import type { FlowAnswer, FlowChange } from '../conntrack/flow-change.ts'
import type { SetsAnswer, SetsStep } from '../control/ipset.ts'
import type { NfacctAnswer } from '../control/nfacct.ts'
import type { TunIo } from '../device/tun.ts'
import type { EngineCounters } from '../engine-counters.ts'
import type { Complaint } from '../errors.ts'
import type { NflogPacket } from '../nfnetlink/nflog.ts'
import type { IpResult } from '../route/command/run.ts'
import type { Piece } from '../rule/change.ts'
import type { Chunks } from '../rule/ledger.ts'
import type { Family } from '../rule/model.ts'
import type { PlainRun } from '../rule/run.ts'
import type { GatewayConfig } from './config.ts'
import type { FlowsReport } from './flow-source.ts'
import type { QueueWorkerData } from './queues.ts'

export interface RuleText {
  readonly file: string
  readonly text: string
}

export interface WorkerData {
  readonly config: GatewayConfig
  /** No packet is taken before so many changes of rules are in force. */
  readonly awaitedChanges: number
  /** Sets to begin with. */
  readonly sets: RuleText | undefined
  /** Accounting objects to begin with besides the configuration's, as `nfacct list` prints them. */
  readonly accounting: string
  /** What the sets hold is told at the end. */
  readonly keepsSets: boolean
  /** Packets that rules hand to NFLOG are reported. */
  readonly nflog: boolean
  readonly io: TunIo
  /** Threads for I/O; 1: this one does it itself. */
  readonly workers: number
  /** How long an idle worker looks again and again before it sleeps, in microseconds. */
  readonly busyPoll: number
  /** Wakes the worker from its poll. */
  readonly eventFd: number
  /** ISSUED and UNREAD below. */
  readonly shared: Int32Array
}

/** Niceness of the thread that handles packets, where it may have it. */
export const DATA_PLANE_NICE = -5

/** Place in `shared`: orders issued so far. */
export const ISSUED = 0
/** Place in `shared`: lines of LOG rules, and packets of NFLOG, that are on their way to the control side. */
export const UNREAD = 1

/** More lines than this are not queued but counted: a flood that is logged must not fill the memory. */
export const UNREAD_MAX = 4096

export type Order =
  /**
   * Pieces of a change of rules, so many that they are read in a moment. With the last the change is complete: it is put in
   * force, and answered by 'changed' or 'unchanged'. One change after the other.
   */
  | {
      readonly kind: 'change'
      readonly family: Family
      readonly pieces: readonly Piece<PlainRun>[]
      readonly last: boolean
    }
  /** A step of one of ipset's commands; each is answered, in turn. */
  | { readonly kind: 'sets'; readonly step: SetsStep }
  /** One of nfacct's commands; each is answered, in turn. */
  | { readonly kind: 'nfacct'; readonly words: readonly string[]; readonly input: string }
  /** A command of ip, done between two rounds; each is answered, in turn. */
  | { readonly kind: 'ip'; readonly words: readonly string[] }
  /** A change of flows that a command asks for; each is answered, in turn. */
  | { readonly kind: 'flows'; readonly family: Family; readonly change: FlowChange; readonly port: number }
  /** Events of flows go there from now on. */
  | { readonly kind: 'listen'; readonly memory: SharedEvents | undefined }
  /** Flows and counters, please. */
  | { readonly kind: 'list' }
  /** Handle what waits, then end. */
  | { readonly kind: 'stop' }

export type Report =
  /** Threads for I/O are to be started (gateway/queue-worker.ts), one for each. */
  | { readonly kind: 'workers'; readonly data: readonly QueueWorkerData[] }
  | {
      readonly kind: 'started'
      readonly devices: readonly string[]
      /** How packets come and go: io_uring, read, or both. */
      readonly io: string
      readonly limits: Readonly<Record<string, number>>
      readonly families: SetsAnswer['families']
      /** All accounting objects, as `nfacct list` prints them. */
      readonly accounting: string
      readonly tables: FlowsReport
    }
  | {
      readonly kind: 'changed'
      /** As Build.commit() gives them. */
      readonly places: Int32Array
      /** Chunks of the ledger, all that there are. */
      readonly chunks: Chunks
    }
  /** A flow table has arrays that it did not have before. */
  | { readonly kind: 'extended'; readonly family: Family; readonly extensions: SharedExtensions }
  | { readonly kind: 'flows'; readonly answer: FlowAnswer }
  | { readonly kind: 'nfacct'; readonly answer: NfacctAnswer }
  /** Everything is as it was before. */
  | { readonly kind: 'unchanged'; readonly error: ReportedError }
  | { readonly kind: 'sets'; readonly answer: SetsAnswer }
  | { readonly kind: 'ip'; readonly answer: IpResult }
  | { readonly kind: 'log'; readonly level: number; readonly line: string }
  | { readonly kind: 'nflog'; readonly packets: readonly NflogPacket[] }
  | { readonly kind: 'notice'; readonly line: string }
  /** Text for standard output. */
  | { readonly kind: 'text'; readonly text: string }
  /** Here the rules and their counters are to be printed. */
  | { readonly kind: 'rules' }
  /** The gateway could not start. */
  | { readonly kind: 'failed'; readonly error: ReportedError }
  | {
      readonly kind: 'ended'
      readonly counters: EngineCounters
      readonly sets: string | undefined
      readonly accounting: string
    }

/** An error as it crosses threads: a structured clone would keep neither its class nor its fields. */
export interface ReportedError {
  readonly code: string
  readonly message: string
  readonly complaints?: readonly Complaint[]
}
