import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    setupFiles: ['test/support/seed.ts'],
    include: ['test/**/*.test.ts'],
    // Tests that start programs in namespaces of their own wait for those, not for a clock.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
