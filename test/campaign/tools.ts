// Programs that only the campaign needs, and whether this machine lets them do their work.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SmallDisk } from '../support/small-disk.ts'

const fetched = path.join(import.meta.dirname, '../../.tools/campaign')
const libraries = path.join(fetched, 'usr/lib/x86_64-linux-gnu')

/** Where set-up or the machine has libfaketime, in the variant for several threads. */
export function faketimeFile(): string | undefined {
  const folders = [libraries, '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu']
  return folders.map((dir) => path.join(dir, 'faketime/libfaketimeMT.so.1')).find((file) => existsSync(file))
}

/** strace as a command, with the variables that it needs. */
export function straceCommand(): { readonly file: string; readonly env: Record<string, string> } | undefined {
  const own = path.join(fetched, 'usr/bin/strace')
  if (existsSync(own))
    return {
      file: own,
      env: { LD_LIBRARY_PATH: `${libraries}:${path.join(fetched, 'lib/x86_64-linux-gnu')}` },
    }
  return existsSync('/usr/bin/strace') ? { file: '/usr/bin/strace', env: {} } : undefined
}

/** Arguments with which strace has every fsync of a process fail, for as long as it is attached. */
export const failingFsync = (pid: number): string[] => [
  ...['-f', '-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'],
  ...['-e', 'inject=fsync,fdatasync:error=EIO', '-p', `${pid}`],
]

/** Why clocks cannot be stepped here; undefined: they can. */
export function noClocks(): string | undefined {
  const file = faketimeFile()
  if (file === undefined) return 'libfaketime is not there'
  const env = { ...process.env, LD_PRELOAD: file, FAKETIME: '+90', FAKETIME_DONT_FAKE_MONOTONIC: '1' }
  const told = Number(execFileSync(process.execPath, ['-p', 'Date.now()'], { env, encoding: 'utf8' }))
  return Math.abs(told - Date.now() - 90_000) < 30_000 ? undefined : `libfaketime told ${told}`
}

/** Why no fsync can be made to fail here; undefined: it can. */
export async function noFailingFsync(): Promise<string | undefined> {
  const strace = straceCommand()
  if (!strace) return 'strace is not there'
  const program =
    "const fs=require('fs');setInterval(()=>{try{fs.fsyncSync(1)}catch(e){if(e.code==='EIO')process.exit(7)}},20)"
  const folder = mkdtempSync(path.join(os.tmpdir(), 'firn-fsync-'))
  const out = path.join(folder, 'out')
  const child = spawn('/bin/sh', ['-c', `exec "$0" -e "$1" >'${out}'`, process.execPath, program], {
    stdio: 'ignore',
  })
  const tracer = spawn(strace.file, failingFsync(child.pid ?? 0), {
    ...{ stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...strace.env } },
  })
  let said = ''
  tracer.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  try {
    for (const until = performance.now() + 10_000; performance.now() < until; await sleep(20)) {
      if (child.exitCode === 7) return undefined
      if (tracer.exitCode !== null)
        return `strace cannot be attached: ${said.trim() || `exit code ${tracer.exitCode}`}`
    }
    return 'no fsync failed under strace'
  } finally {
    child.kill('SIGKILL')
    tracer.kill('SIGTERM')
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Why no small file system can be mounted here; undefined: it can. */
export async function noSmallDisks(): Promise<string | undefined> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'firn-disk-'))
  try {
    using _ = await SmallDisk.mount(path.join(folder, 'disk'), 1)
    return undefined
  } catch (error) {
    return `nothing can be mounted: ${(error as Error).message.split('\n').at(0)}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
