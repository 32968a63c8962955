// Where the control socket is: what TUNFILTER_CONTROL says, else root's place or the user's own. The native client
// (native/client/) has the same order.

export function controlPath(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const { TUNFILTER_CONTROL: named, XDG_RUNTIME_DIR: own } = environment
  if (named) return named
  return process.getuid?.() !== 0 && own ? `${own}/tunfilter.sock` : '/run/tunfilter.sock'
}
