// One shell inside a network namespace, kept for many commands: starting a program from it costs a millisecond or two,
// where starting nsenter from Node for each would cost ten.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'

const END = /<END (\d+)>\n$/

export class NamespaceShell {
  private readonly child: ChildProcessWithoutNullStreams
  private output = ''
  private errors = ''
  private wake = () => {}
  private ended: string | undefined

  /** `netns` is a path that this process may open, such as /proc/PID/fd/N. */
  constructor(netns: string, env: Record<string, string> = {}) {
    this.child = spawn('nsenter', [`--net=${netns}`, 'sh'], {
      stdio: 'pipe',
      env: { ...process.env, LC_ALL: 'C', ...env },
    })
    this.child.stdout.on('data', (chunk: Buffer) => {
      this.output += chunk.toString('latin1')
      this.wake()
    })
    this.child.stderr.on('data', (chunk: Buffer) => {
      this.errors += chunk.toString('latin1')
      this.wake()
    })
    const end = (reason: string) => {
      this.ended = reason
      this.wake()
    }
    this.child.on('error', (error) => end(String(error)))
    this.child.on('exit', (code) => end(`the shell in ${netns} ended with status ${code}: ${this.errors}`))
    this.child.stdin.on('error', (error) => end(String(error)))
  }

  /** What the command prints to standard output; throws with what it says on standard error when it fails. */
  async run(command: string, input?: string): Promise<string> {
    this.output = this.errors = ''
    const mark = 'END_OF_THE_INPUT'
    if (input?.includes(mark)) throw new Error(`input must not contain ${mark}`)
    const feed = input === undefined ? '</dev/null' : `<<'${mark}'\n${input.replace(/\n?$/, '\n')}${mark}`
    this.child.stdin.write(
      `${command} ${feed}\nstatus=$?\nprintf '<END %d>\\n' $status; printf '<END %d>\\n' $status >&2\n`,
    )
    while (!(END.test(this.output) && END.test(this.errors))) {
      if (this.ended !== undefined) throw new Error(this.ended)
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    const status = Number(END.exec(this.output)?.[1])
    if (status !== 0)
      throw new Error(
        `${command.split('\n')[0]}: status ${status}: ${this.errors.replace(END, '').trim()}\n${input ?? ''}`,
      )
    return this.output.replace(END, '')
  }

  async close(): Promise<void> {
    if (this.ended !== undefined) return
    const gone = new Promise<void>((resolve) => {
      this.child.once('exit', () => resolve())
    })
    this.child.stdin.end()
    await gone
  }
}
