import type { Engine } from '../../ports/engine.ts'
import { keptEngine } from '../kept/engine.ts'
import type { Kind, KeptSettings } from '../kept/kind.ts'
import { call } from './call.ts'

/** How long a copy waits for a program that holds the whole database for itself. Milliseconds. */
const busyMs = 10_000

/**
 * Copies are made by `VACUUM INTO`. Who uses the database goes on: in WAL mode unhindered; otherwise reading on, while
 * commits wait until it is read.
 */
const sqlite: Kind = {
  type: 'sqlite',
  title: 'SQLite',
  version: process.versions.sqlite ?? 'unknown',
  capabilities: ['vacuum_into', 'integrity_check'],
  besides: ['-journal', '-wal', '-shm'],
  copy: ({ source, target }, work) => call(['copy', source, target, String(busyMs)], work),
  check: (file, work) => call(['check', file], work),
}

/** SQLite databases as an engine. */
export const sqliteEngine = (settings: KeptSettings): Engine => keptEngine(sqlite, settings)
