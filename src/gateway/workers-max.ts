// A word that the command line and the configuration's schema share, and that loads nothing else.

/** More threads for I/O than this are no use: one engine cannot keep up with them. */
export const WORKERS_MAX = 64
