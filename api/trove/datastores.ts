import { z } from 'zod'
import { Fault } from '../../core/fault.ts'
import type { Ask, Route } from '../route.ts'
import { flavorForm, flavorOf } from './flavors.ts'
import { datastoreIn, datastoresOf, versionIn, type KnownDatastore } from './known-datastores.ts'
import { linksTo, selfLinks } from './links.ts'
import { troveOperation } from './operation.ts'

const briefVersion = z.object({ id: z.string(), name: z.string(), version: z.string(), links: selfLinks })
const versionForm = briefVersion.extend({ datastore: z.string() })
const datastoreForm = z.object({
  id: z.string(),
  name: z.string(),
  default_version: z.string().meta({ description: 'The id of the newest.' }),
  versions: z.array(briefVersion),
  links: selfLinks,
})

const params = {
  datastore: 'A kind of database, by name or id.',
  version: 'A version of it, by name or id.',
}

const known = (ask: Ask): KnownDatastore[] => datastoresOf(ask.served.context.state, ask.caller.project)

const named = (ask: Ask): KnownDatastore => datastoreIn(known(ask), ask.param('datastore'))

function datastoreView(ask: Ask, { id, type, versions }: KnownDatastore): z.infer<typeof datastoreForm> {
  return {
    ...{ id, name: type },
    default_version: versions.at(-1)?.id ?? '',
    versions: versions.map((version) => briefView(ask, id, version)),
    links: linksTo(ask, `/datastores/${id}`),
  }
}

type Version = KnownDatastore['versions'][number]

const briefView = (ask: Ask, datastore: string, { id, name }: Version): z.infer<typeof briefVersion> => ({
  ...{ id, name, version: name },
  links: linksTo(ask, `/datastores/${datastore}/versions/${id}`),
})

const versionView = (ask: Ask, { id }: KnownDatastore, version: Version): z.infer<typeof versionForm> => ({
  ...briefView(ask, id, version),
  datastore: id,
})

/** Which kinds of databases there are: what agents announce, not what a catalogue promises. */
export const datastoreRoutes: readonly Route[] = [
  troveOperation({
    ...{ method: 'GET', path: '/datastores', role: 'viewer' },
    ...{ id: 'listDatastores', summary: 'List the kinds of databases' },
    answers: { 200: z.object({ datastores: z.array(datastoreForm) }) },
    answer: (ask) => ask.json({ datastores: known(ask).map((one) => datastoreView(ask, one)) }),
  }),
  // Before the next one: an id of a version alone is asked for as that of a datastore called "versions".
  troveOperation({
    ...{ method: 'GET', path: '/datastores/versions/:version', role: 'viewer', params },
    ...{ id: 'findDatastoreVersion', summary: 'Show a version of any kind of database by its id' },
    answers: { 200: z.object({ version: versionForm }) },
    answer(ask) {
      const id = ask.param('version').toLowerCase()
      for (const datastore of known(ask)) {
        const version = datastore.versions.find((one) => one.id === id)
        if (version) return ask.json({ version: versionView(ask, datastore, version) })
      }
      throw new Fault('not_found', `no version ${id.slice(0, 80)} of any datastore`)
    },
  }),
  troveOperation({
    ...{ method: 'GET', path: '/datastores/:datastore', role: 'viewer', params },
    ...{ id: 'showDatastore', summary: 'Show a kind of database' },
    answers: { 200: z.object({ datastore: datastoreForm }) },
    answer: (ask) => ask.json({ datastore: datastoreView(ask, named(ask)) }),
  }),
  troveOperation({
    ...{ method: 'GET', path: '/datastores/:datastore/versions', role: 'viewer', params },
    ...{ id: 'listDatastoreVersions', summary: 'List the versions of a kind of database' },
    answers: { 200: z.object({ versions: z.array(versionForm) }) },
    answer(ask) {
      const datastore = named(ask)
      return ask.json({ versions: datastore.versions.map((one) => versionView(ask, datastore, one)) })
    },
  }),
  troveOperation({
    ...{ method: 'GET', path: '/datastores/:datastore/versions/:version', role: 'viewer', params },
    ...{ id: 'showDatastoreVersion', summary: 'Show a version of a kind of database' },
    answers: { 200: z.object({ version: versionForm }) },
    answer(ask) {
      const datastore = named(ask)
      return ask.json({ version: versionView(ask, datastore, versionIn(datastore, ask.param('version'))) })
    },
  }),
  troveOperation({
    ...{ method: 'GET', path: '/datastores/:datastore/versions/:version/flavors', role: 'viewer', params },
    ...{ id: 'listDatastoreFlavors', summary: 'List the flavors for a version' },
    answers: { 200: z.object({ flavors: z.array(flavorForm) }) },
    answer(ask) {
      versionIn(named(ask), ask.param('version'))
      return ask.json({ flavors: [flavorOf(ask)] })
    },
  }),
]
