// Large pages for memory that is read all over: with 4 KiB pages most reads of an array of many megabytes first have to look
// up where the page is. The system is asked, and may say no; without the addon nothing is asked, and all works the same.

import { loadNative, type Native } from './native.ts'

let native: Native | undefined | null = null

/** For memory of several MiB that was not touched yet. @returns whether the system took the advice */
export function adviseLargePages(memory: Uint8Array): boolean {
  if (native === null) {
    try {
      native = loadNative()
    } catch {
      native = undefined
    }
  }
  return native?.madviseHuge(memory) ?? false
}
