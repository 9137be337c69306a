import { createRequire } from 'node:module'

/** Of the program: package.json's. */
export const { version } = createRequire(import.meta.url)('../package.json') as { version: string }
