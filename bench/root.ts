// Where the project is, seen from where this file is compiled to (bench/build/bench/).

import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
