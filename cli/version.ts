import { readFileSync } from 'node:fs'
import { text } from './json.ts'

/** Firn's version, from its package file. */
export function version(): string {
  return text(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')), 'version')
}
