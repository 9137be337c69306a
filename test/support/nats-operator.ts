// A real nats-server in operator mode, as Firn runs it: every user needs credentials.
import { openOperator, type NatsOperator } from '../../controller/nats/operator.ts'
import { systemClock } from '../../core/clock-system.ts'
import { startNats, type ServerProcess } from './servers.ts'
import { tempDir } from './temp.ts'

/** nats-server and who makes credentials for it. */
export interface OperatorNats extends AsyncDisposable {
  readonly server: ServerProcess
  readonly operator: NatsOperator
}

/** Starts it on a free port with its keys and data in temporary folders. */
export async function startOperatorNats(): Promise<OperatorNats> {
  const keys = await tempDir('nats-keys')
  const operator = await openOperator(keys.path, systemClock)
  const server = await startNats({ wholeConfig: (given) => operator.natsConfig(given) })
  return {
    server,
    operator,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await keys[Symbol.asyncDispose]()
    },
  }
}
