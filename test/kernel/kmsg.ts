// The kernel's log as far as LOG and TRACE rules write into it. The log belongs to the whole machine, so every rig tags the prefixes of
// its LOG rules and reads the lines with its own tag only; rules and lines come back without it.

import { closeSync, constants, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'

const ALL_NETNS = '/proc/sys/net/netfilter/nf_log_all_netns'

const TRACES = / (-j|--jump) TRACE\b/

export class KernelLog {
  private readonly fd: number
  private readonly tag: string
  private traces = false
  private readonly buffer = Buffer.alloc(8192)

  /** Letters, digits and _ only: nothing that iptables-save would put into quotes. */
  private constructor(fd: number, tag: string) {
    this.fd = fd
    this.tag = tag
  }

  /** undefined where the log cannot be read, or does not hear of other namespaces and cannot be made to. */
  static open(): KernelLog | undefined {
    try {
      if (readFileSync(ALL_NETNS, 'utf8').trim() !== '1') writeFileSync(ALL_NETNS, '1')
      const fd = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK)
      const log = new KernelLog(
        fd,
        `${Math.floor(Math.random() * 36 ** 4)
          .toString(36)
          .padStart(4, '0')}_`,
      )
      log.read()
      return log
    } catch {
      return undefined
    }
  }

  /**
   * iptables-restore text with the tag before every LOG prefix. Lines of TRACE cannot be tagged: they are read while there are
   * rules that ask for them, and are then taken for this rig's.
   */
  tagged(rules: string): string {
    this.traces = TRACES.test(rules)
    return rules
      .split('\n')
      .map((line) => {
        if (!/ (-j|--jump) LOG\b/.test(line)) return line
        if (!line.includes('--log-prefix')) return `${line} --log-prefix ${this.tag}`
        return line.replace(/--log-prefix[ =]("(?:[^"\\]|\\.)*"|\S+)/, (_, prefix: string) =>
          prefix.startsWith('"') ? `--log-prefix "${this.tag}${prefix.slice(1)}` : `--log-prefix ${this.tag}${prefix}`,
        )
      })
      .join('\n')
  }

  /** The same of both families' rules, which are loaded together. */
  taggedAll(rules: readonly string[]): string[] {
    const tagged = rules.map((text) => this.tagged(text))
    this.traces = rules.some((text) => TRACES.test(text))
    return tagged
  }

  /** What iptables-save prints, without the tag. */
  untagged(rules: string): string {
    return rules.replace(new RegExp(` --log-prefix ${this.tag}(?=\\s)`, 'g'), '').replaceAll(this.tag, '')
  }

  /** The lines that were tagged, since the last call. */
  read(): string[] {
    const lines: string[] = []
    for (;;) {
      let length: number
      try {
        length = readSync(this.fd, this.buffer)
      } catch (error) {
        // EPIPE: records were overwritten before they were read; the next read goes on with the oldest.
        if ((error as NodeJS.ErrnoException).code === 'EPIPE') continue
        return lines
      }
      if (length === 0) return lines
      const record = this.buffer.toString('latin1', 0, length).split('\n')[0]!
      const text = record.slice(record.indexOf(';') + 1)
      if (text.startsWith(this.tag)) lines.push(text.slice(this.tag.length))
      else if (this.traces && text.startsWith('TRACE: ')) lines.push(text)
    }
  }

  close(): void {
    closeSync(this.fd)
  }
}
