import { z } from 'zod'
import type { BackupStrategy } from '../../core/instance.ts'
import { removeStrategy, setStrategy, strategiesOf } from '../../controller/use-cases/strategies.ts'
import { isUuid } from '../../core/ids.ts'
import { some } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { accepted } from './accepted.ts'
import { containerText } from './texts.ts'
import { projectNamed } from './projects.ts'
import { troveOperation } from './operation.ts'

const strategyForm = z.object({
  project_id: z.string(),
  instance_id: z.string().meta({ description: 'Empty: the strategy of the account.' }),
  backend: z.literal('swift'),
  swift_container: z.string(),
})

const view = ({ project, instance, container }: BackupStrategy): z.infer<typeof strategyForm> => ({
  ...{ project_id: project, instance_id: instance },
  ...{ backend: 'swift', swift_container: container },
})

const query = z.object({
  instance_id: z.string().optional().meta({ description: "That instance's only." }),
  project_id: z.string().optional().meta({ description: "Another account's; for administrators." }),
})

const body = z.looseObject({
  backup_strategy: z.strictObject({
    swift_container: containerText,
    instance_id: z
      .string()
      .max(255)
      .optional()
      .meta({ description: 'Absent or empty: the account. It need not exist.' }),
  }),
})

const path = '/backup_strategies'

/** Ids of instances count in either case; another text is taken as it is, for it need not name one. */
const instanceNamed = (text: string | undefined): string | undefined =>
  text !== undefined && isUuid(text) ? text.toLowerCase() : text

/** The caller, in the project that an administrator names. */
const placed = (ask: Ask, project: string | undefined): Ask['caller'] => ({
  ...ask.caller,
  ...(project === undefined || project === ask.caller.project ? {} : { project: projectNamed(ask, project) }),
})

/** In which container backups go that do not say so themselves. */
export const strategyRoutes: readonly Route[] = [
  troveOperation({
    ...{ method: 'GET', path, role: 'viewer', query },
    ...{ id: 'listBackupStrategies', summary: 'List where backups go' },
    answers: { 200: z.object({ backup_strategies: z.array(strategyForm) }) },
    answer(ask, { query }) {
      const { project } = placed(ask, query.project_id)
      const found = strategiesOf(ask.served.context, project, instanceNamed(query.instance_id))
      return ask.json({ backup_strategies: found.map(view) })
    },
  }),
  troveOperation({
    ...{ method: 'POST', path, role: 'operator', body },
    ...{ id: 'setBackupStrategy', summary: 'Say where backups go from now on' },
    answers: { 202: z.object({ backup_strategy: strategyForm }) },
    async answer(ask, input) {
      const { backup_strategy } = await input.body()
      const { value } = await setStrategy(ask.served.context, ask.caller, {
        container: backup_strategy.swift_container,
        ...some('instance', instanceNamed(backup_strategy.instance_id)),
      })
      return ask.json({ backup_strategy: view(value) }, 202)
    },
  }),
  troveOperation({
    ...{ method: 'DELETE', path, role: 'operator', query },
    ...{ id: 'deleteBackupStrategy', summary: 'Drop a strategy; there need not be one' },
    answers: { 202: 'nothing' },
    async answer(ask, { query }) {
      await removeStrategy(ask.served.context, placed(ask, query.project_id), {
        ...some('instance', instanceNamed(query.instance_id)),
      })
      return accepted(ask)
    },
  }),
]
