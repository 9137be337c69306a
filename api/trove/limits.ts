import { z } from 'zod'
import { madeInstancesMax } from '../../controller/use-cases/instances.ts'
import type { Route } from '../route.ts'
import { troveOperation } from './operation.ts'

const absoluteForm = z.object({
  verb: z.literal('ABSOLUTE'),
  max_backups: z.number(),
  max_instances: z.number().meta({
    description: 'Made from backups. What agents have besides is as much as their nodes say.',
  }),
  max_ram: z.number().meta({ description: '-1: no limit, here and below.' }),
  max_volumes: z.number(),
})

export const limitRoutes: readonly Route[] = [
  troveOperation({
    ...{ method: 'GET', path: '/limits', role: 'viewer' },
    ...{ id: 'listLimits', summary: 'Show how many backups and restored databases the account may have' },
    answers: { 200: z.object({ limits: z.array(absoluteForm) }) },
    answer(ask) {
      const { backupsPerProject } = ask.served.context.settings
      const absolute = {
        ...{ verb: 'ABSOLUTE', max_backups: backupsPerProject },
        ...{ max_instances: madeInstancesMax, max_ram: -1, max_volumes: -1 },
      }
      return ask.json({ limits: [absolute] })
    },
  }),
]
