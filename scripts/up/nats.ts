// nats-server as the installation's operator configures it, on loopback.
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { openOperator } from '../../controller/nats/operator.ts'
import { systemClock } from '../../core/clock-system.ts'
import type { Layout } from './layout.ts'
import type { Recipe } from './process.ts'

const answerMs = 1_000

/** Writes its configuration, and says how it is started. The operator's keys are the servers' own. */
export async function natsRecipe(
  layout: Layout,
  port: number,
  base: Pick<Recipe, 'env'> & { readonly program: string },
): Promise<Recipe> {
  const operator = await openOperator(path.join(layout.keys, 'nats'), systemClock)
  const config = path.join(layout.nats, 'nats.conf')
  const text = operator.natsConfig({ port, storeDir: path.join(layout.nats, 'data') })
  await writeFile(config, text, { mode: 0o600 })
  return {
    ...{ name: 'nats', kind: 'nats', file: base.program, args: ['--config', config], env: base.env },
    log: path.join(layout.logs, 'nats.log'),
    stopMs: 5_000,
    isReady: () => greets(port),
  }
}

/** nats-server speaks first. */
async function greets(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    const [greeting] = (await once(socket, 'data', { signal: AbortSignal.timeout(answerMs) })) as [Buffer]
    return greeting.toString('latin1').startsWith('INFO ')
  } finally {
    socket.destroy()
  }
}
