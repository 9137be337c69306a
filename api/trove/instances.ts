import { z } from 'zod'
import type { Instance } from '../../core/instance.ts'
import { removeInstance } from '../../controller/use-cases/instances.ts'
import { valuesOf } from '../native/paging.ts'
import type { Ask, Route } from '../route.ts'
import { accepted } from './accepted.ts'
import { existingInstanceOf } from './backups.ts'
import { createFrom, instanceBody } from './instance-request.ts'
import { instanceForm, instanceView } from './instance-view.ts'
import { troveOperation } from './operation.ts'
import { linksForm, pageOf, pageQuery, type Place } from './paging.ts'

const listForm = z.object({ instances: z.array(instanceForm), links: linksForm })
const oneForm = z.object({ instance: instanceForm })
const query = z.object(pageQuery)
const everywhereQuery = query.extend({
  project_id: z.string().optional().meta({ description: "This account's." }),
})
const params = { id: 'The id of an instance.' }

const placeOf = ({ createdAt, id }: Instance): Place => [createdAt, 0, id]

function list(ask: Ask, asked: z.infer<typeof query>): Promise<Response> {
  return answerPage(ask, asked, ask.served.context.state.of('instance', ask.caller.project))
}

async function answerPage(
  ask: Ask,
  asked: z.infer<typeof query>,
  stored: Iterable<{ readonly value: Instance }>,
): Promise<Response> {
  const documents = valuesOf(stored)
  const page = await pageOf(ask, asked, { documents, place: placeOf, keep: () => true })
  const instances = page.documents.map((instance) => instanceView(ask, instance))
  return ask.json({ instances, ...page.links })
}

export const instanceRoutes: readonly Route[] = [
  troveOperation({
    ...{ method: 'GET', path: '/instances', role: 'viewer', query },
    ...{ id: 'listInstances', summary: 'List the databases that agents look after' },
    answers: { 200: listForm },
    answer: (ask, { query: asked }) => list(ask, asked),
  }),
  // The client's other list: its rows have no more than these.
  troveOperation({
    ...{ method: 'GET', path: '/instances/detail', role: 'viewer', query },
    ...{ id: 'listInstancesInDetail', summary: 'List the databases that agents look after' },
    answers: { 200: listForm },
    answer: (ask, { query: asked }) => list(ask, asked),
  }),
  troveOperation({
    ...{ method: 'GET', path: '/mgmt/instances', role: 'admin', query: everywhereQuery },
    ...{ id: 'listAllInstances', summary: "List every account's databases, or another account's" },
    answers: { 200: listForm },
    answer(ask, { query: asked }) {
      const { state } = ask.served.context
      const of = asked.project_id
      return answerPage(ask, asked, of === undefined ? state.all('instance') : state.of('instance', of))
    },
  }),
  troveOperation({
    ...{ method: 'GET', path: '/instances/:id', role: 'viewer', params },
    ...{ id: 'showInstance', summary: 'Show a database' },
    answers: { 200: oneForm },
    answer: (ask) => ask.json({ instance: instanceView(ask, existingInstanceOf(ask)) }),
  }),
  troveOperation({
    ...{ method: 'POST', path: '/instances', role: 'operator', body: instanceBody },
    ...{ id: 'createInstance', summary: 'Restore a backup into a new database' },
    answers: { 200: oneForm },
    async answer(ask, input) {
      const { instance } = await input.body()
      return ask.json({ instance: instanceView(ask, await createFrom(ask, instance)) })
    },
  }),
  troveOperation({
    ...{ method: 'DELETE', path: '/instances/:id', role: 'operator', params },
    ...{
      id: 'deleteInstance',
      summary: 'Forget a database that its agent has forgotten, or whose restore failed',
    },
    description:
      'Its data and its backups stay. While its agent announces it that is 422: take it out of the configuration, or remove its file, on the node first.',
    answers: { 202: 'nothing' },
    async answer(ask) {
      await removeInstance(ask.served.context, ask.caller, existingInstanceOf(ask).id)
      return accepted(ask)
    },
  }),
]
