// `npm run dev`: servers and agents are started again whenever their sources change.
import { watch } from 'node:fs'
import path from 'node:path'
import { Problem } from './problem.ts'
import type { Stack } from './stack.ts'

const checkout = path.join(import.meta.dirname, '../..')
/** Whose sources servers and agents run; the launcher's own need a new start by hand. */
const watched = ['agent', 'api', 'cli', 'controller', 'core', 'proto']
/** An editor that saves several files, or one in several steps, is one change. Milliseconds. */
const gatherMs = 200

/**
 * Restarts servers and agents after each change, until disposed. What does not start is told, and tried again after the next
 * change; etcd and NATS, and all data, stay.
 */
export function restartOnChange(
  stack: Stack,
  say: (text: string) => void,
  restarted: () => Promise<void>,
): Disposable {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  let isOver = false
  const restart = async (name: string): Promise<void> => {
    if (isOver) return
    say(`${name} has changed: servers and agents start again`)
    await restartAll(stack)
      .then(restarted)
      .then(() => say('all is up again'))
      .catch((error: unknown) => {
        say(error instanceof Error ? error.message : String(error))
        if (error instanceof Problem) for (const line of error.tail) say(`  ${line}`)
      })
  }
  const changed = (folder: string, file: string | null): void => {
    if (file === null || !/\.(ts|mjs|json|proto)$/.test(file) || file.endsWith('.test.ts')) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      running = running.then(() => restart(path.join(folder, file)))
    }, gatherMs)
  }
  const watchers = watched.map((folder) =>
    watch(path.join(checkout, folder), { recursive: true }, (_, file) => changed(folder, file)),
  )
  return {
    [Symbol.dispose]: () => {
      isOver = true
      clearTimeout(timer)
      for (const watcher of watchers) watcher.close()
    },
  }
}

async function restartAll({ processes }: Stack): Promise<void> {
  const own = [...processes.values()].filter(({ kind }) => kind === 'server' || kind === 'agent')
  await Promise.all(own.map((it) => it.stop()))
  await Promise.all(own.map((it) => it.start()))
}
