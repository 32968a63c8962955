// The page of all matches and targets is what their declarations say.

import { expect, test } from 'vitest'
import { page } from './page.ts'

test('src/iptables/EXTENSIONS.md is what the declarations say (scripts/docs writes it)', async () => {
  await expect(page()).toMatchFileSnapshot('../../src/iptables/EXTENSIONS.md')
})
