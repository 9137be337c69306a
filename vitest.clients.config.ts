import { defineConfig, mergeConfig } from 'vitest/config'
import base from './vitest.config.ts'

/** The real clients of the published APIs, which `node scripts/clients.mjs` fetches: `npm run test:clients`. */
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ['test/clients/**/*.test.ts', 'test/keystone/**/*.test.ts'],
      globalSetup: ['test/clients/world.ts'],
      // One of them mostly waits for a minute to be over.
      maxWorkers: 3,
      // A test of commands starts some twenty processes.
      testTimeout: 300_000,
      hookTimeout: 120_000,
    },
  }),
)
