// Firn's own servers.
import { rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import path from 'node:path'
import type { EtcdAccess } from './etcd.ts'
import type { Layout } from './layout.ts'
import type { Recipe } from './process.ts'

/** What tells one server of a stack from another. */
export interface ServerPlan {
  readonly name: string
  readonly restPort: number
  readonly agentPort: number
  /** Where agents are told to come, when that is elsewhere. */
  readonly advertise?: string
  readonly etcd: EtcdAccess
  readonly natsUrl: string
  readonly project: string
  readonly logLevel: string
  /** Laid over the configuration: `limits`, … */
  readonly config: Readonly<Record<string, unknown>>
}

const answerMs = 1_000

/** Writes its configuration, and says how it is started. */
export async function serverRecipe(
  layout: Layout,
  plan: ServerPlan,
  base: Pick<Recipe, 'env'> & { readonly firn: readonly [string, ...string[]] },
): Promise<Recipe> {
  const { name, restPort, agentPort, etcd } = plan
  const at = (suffix: string): string => path.join(layout.servers, `${name}${suffix}`)
  const ready = at('.ready')
  const config = {
    http: { host: '127.0.0.1', port: restPort },
    agents: {
      ...{ host: '127.0.0.1', port: agentPort },
      ...(plan.advertise === undefined ? {} : { advertise: [plan.advertise] }),
    },
    etcd: { endpoints: etcd.endpoints, ca: etcd.ca, certificate: etcd.certificate, key: etcd.key },
    nats: { servers: [plan.natsUrl] },
    keys: layout.keys,
    default_repository: path.join(layout.repositories, '{client}', '{engine}'),
    first_token: { file: layout.tokenFile, project: plan.project },
    ready_file: ready,
    log: { level: plan.logLevel },
    ...plan.config,
  }
  // JSON is YAML as well.
  await writeFile(at('.yaml'), `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 })
  const [file, ...args] = base.firn
  return {
    ...{ name, kind: 'server', file, args: [...args, 'server', '--config', at('.yaml')], env: base.env },
    log: path.join(layout.logs, `${name}.log`),
    // A little more than a server itself gives its end.
    stopMs: 21_000,
    prepare: () => rm(ready, { force: true }),
    isReady: async () => {
      if (!existsSync(ready)) return false
      const answer = await fetch(`http://127.0.0.1:${restPort}/readyz`, {
        signal: AbortSignal.timeout(answerMs),
      })
      await answer.body?.cancel()
      return answer.ok
    },
  }
}
