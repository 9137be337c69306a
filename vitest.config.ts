import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '.tools/**', '.firn/**', 'test/clients/**', 'test/keystone/**'],
    environment: 'node',
    // Tests start real servers and measure nothing: two files at a time suit the smallest machine, processes of their
    // own keep one file's signals and sockets away from another's.
    pool: 'forks',
    maxWorkers: 2,
    // Tests use a few programs of every Debian (bash, tar, mount, setsid), also where PATH holds less than that. What Firn
    // itself runs comes from .tools.
    env: { PATH: [process.env['PATH'], '/usr/bin', '/bin', '/usr/sbin', '/sbin'].join(':') },
    // Bounds for what hangs, not for what is slow: each wait inside a test has a shorter bound of its own.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    coverage: {
      provider: 'v8',
      include: ['core/**/*.ts', 'controller/plan/**/*.ts'],
      exclude: ['**/*.test.ts'],
      reporter: ['text-summary', 'html'],
      thresholds: {
        'core/**': { branches: 95 },
        'controller/plan/**': { branches: 95 },
      },
    },
  },
})
