// How much V8 writes into one optimised function. A packet's way is a chain of short functions, each called from one place; what does not
// fit into V8's budget for inlining (920 bytes of bytecode) stays a call, with its arguments checked anew. With 2500 bytes an
// established flow's packet takes 127 ns instead of 142 in memory, and 168 instead of 220 with IPv6; 3200 since the flow table's hash
// has a key for each half word, which would cost 4 to 14 ns more with the old budget.

import { setFlagsFromString } from 'node:v8'

/** For the whole process. To be called before packets come: what is optimised by then stays as it is. */
export function inlineMore(): void {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=3200')
}
