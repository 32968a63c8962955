// Interrupt moderation (native/moderation.c) on a clock of its own: packets come by a pattern, a loop asks before each sleep whether to
// leave them to gather, and sleeps until the next one, or for the pause. What counts is how often it wakes up.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const NATIVE = fileURLToPath(new URL('../../native/', import.meta.url))

/** `simulate stream|questions NANOSECONDS`: for a second of the clock; an answer is followed by a question after so long. */
const SIMULATE = `
#include "uring.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  const bool stream = argc == 3 && strcmp(argv[1], "stream") == 0;
  const uint64_t apart = strtoull(argv[2], NULL, 10), begin = 5000000000;
  struct moderation m = {0};
  uint64_t now = begin, next = begin, packets = 0, wakes = 0, paused = 0;
  while (now < begin + 1000000000) {
    const uint64_t pause = moderation_pause(&m, now, packets);
    now = pause ? now + pause : next > now ? next : now;
    paused += pause > 0;
    wakes++;
    while (next <= now) {
      packets++;
      next = stream ? next + apart : now + apart;
    }
    now += 500;
  }
  printf("{\\"packets\\":%llu,\\"wakes\\":%llu,\\"paused\\":%llu}", (unsigned long long)packets, (unsigned long long)wakes,
         (unsigned long long)paused);
}
`

const directory = mkdtempSync(join(tmpdir(), 'moderation-'))
const program = join(directory, 'simulate')

beforeAll(() => {
  writeFileSync(join(directory, 'simulate.c'), SIMULATE)
  const sources = [join(directory, 'simulate.c'), join(NATIVE, 'moderation.c')]
  execFileSync(process.env.CC ?? 'gcc', ['-std=gnu11', '-I', NATIVE, '-o', program, ...sources])
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function simulate(pattern: 'stream' | 'questions', nanoseconds: number) {
  const said = execFileSync(program, [pattern, String(nanoseconds)], { encoding: 'utf8' })
  return JSON.parse(said) as { packets: number; wakes: number; paused: number }
}

describe('packets that come', () => {
  test('often, whatever becomes of those before, are left to gather: a fifth of the wake-ups at 100,000 a second', () => {
    const { packets, wakes } = simulate('stream', 10_000)
    expect(packets).toBeGreaterThan(99_900)
    expect(wakes).toBeLessThan(packets / 4)
  })

  test('rarely are handled one by one, without a pause', () => {
    expect(simulate('stream', 30_000)).toMatchObject({ paused: 0 })
  })

  test('as often, but each after the one before, lose nothing by trials: fewer than one in 500 waits', () => {
    const { packets, paused } = simulate('questions', 10_000)
    expect(paused).toBeGreaterThan(0)
    expect(paused).toBeLessThan(packets / 500)
  })
})
