// A client of the control socket in JavaScript: for `tunfilter iptables ...` where the native one is not built, and for tests.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { TunfilterError } from '../errors.ts'
import * as wire from './frame.ts'

export interface Reply {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Path of the native client, where it is built. */
export function nativeClient(): string | undefined {
  const path = fileURLToPath(new URL('../../native/build/tunfilter-client', import.meta.url))
  return existsSync(path) ? path : undefined
}

/**
 * Has one command done.
 * @param argv the name that it is called by, and its words
 * @param input what is read where the command asks for standard input
 * @param print takes what is printed as it comes, where it is for no file; it is not in the reply then
 */
export function call(
  path: string,
  argv: readonly string[],
  input: () => Buffer | string = () => '',
  print?: (where: 'stdout' | 'stderr', piece: Buffer) => void,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    const reader = new wire.FrameReader()
    const out: Buffer[] = []
    const err: Buffer[] = []
    let file: string | undefined
    /** What READ_SOME has yet to hand out. */
    let left: Buffer | undefined
    const sendSome = () => {
      left ??= Buffer.from(input() as string)
      if (left.length === 0) socket.write(wire.frame(wire.INPUT_END))
      else socket.write(wire.frame(wire.INPUT, left.subarray(0, wire.FRAME_MAX)))
      left = left.subarray(wire.FRAME_MAX)
    }
    const send = (bytes: Buffer | string) => {
      const whole = Buffer.from(bytes as string)
      for (let at = 0; at < whole.length; at += wire.FRAME_MAX)
        socket.write(wire.frame(wire.INPUT, whole.subarray(at, at + wire.FRAME_MAX)))
      socket.write(wire.frame(wire.INPUT_END))
    }
    const sendFile = (name: string) => {
      try {
        send(readFileSync(name))
      } catch (error) {
        socket.write(wire.frame(wire.INPUT_FAILED, `Can't open ${name}: ${(error as Error).message}`))
      }
    }
    const take = ({ kind, payload }: wire.Frame) => {
      if (kind === wire.OUTPUT && print !== undefined && file === undefined) print('stdout', payload)
      else if (kind === wire.ERROR && print !== undefined) print('stderr', payload)
      else if (kind === wire.OUTPUT) out.push(Buffer.from(payload))
      else if (kind === wire.ERROR) err.push(Buffer.from(payload))
      else if (kind === wire.READ) send(input())
      else if (kind === wire.READ_SOME) sendSome()
      else if (kind === wire.FILE) sendFile(payload.toString())
      else if (kind === wire.WRITE) file = payload.toString()
      else if (kind === wire.STATUS) {
        const stdout = Buffer.concat(out).toString()
        if (file !== undefined) writeFileSync(file, stdout)
        resolve({ status: payload[0], stdout: file === undefined ? stdout : '', stderr: Buffer.concat(err).toString() })
        socket.destroy()
      }
    }
    socket.on('data', (piece) => {
      try {
        for (const each of reader.push(piece)) take(each)
      } catch (error) {
        reject(error)
        socket.destroy()
      }
    })
    socket.on('connect', () => socket.write(wire.frame(wire.ARGUMENTS, argv.map((word) => `${word}\0`).join(''))))
    socket.on('error', (cause) =>
      reject(
        new TunfilterError('ERR_CONTROL', `no gateway listens on ${path} (tunfilter up --control): ${cause.message}`, {
          cause,
        }),
      ),
    )
    socket.on('close', () => reject(new TunfilterError('ERR_CONTROL', `${path}: the gateway ended the conversation`)))
  })
}
