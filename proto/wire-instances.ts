import { isInstanceKey, type Datastore, type InstanceProbe, type InstanceTemplate } from '../core/instance.ts'
import type * as wire from './gen/firn/v1/agent.ts'
import { count, given, maybe, present, refuse, textOf } from './strict.ts'

interface Instances {
  readonly instances: readonly InstanceProbe[]
  readonly templates: readonly InstanceTemplate[]
}

/** A node that looks after more of them than this is run by somebody else's rules. */
const listedMax = 1_000
const textMax = 255

export const wireFromInstances = ({ instances, templates }: Instances): wire.Instances => ({
  instances: instances.map((probe) => ({
    key: probe.key,
    name: probe.name,
    datastore: { ...probe.datastore },
    up: probe.up,
    problem: probe.problem ?? '',
    bytes: probe.bytes,
  })),
  templates: templates.map(({ name, datastore }) => ({ name, datastore: { ...datastore } })),
})

export function instancesFromWire({ instances, templates }: wire.Instances): Instances {
  if (instances.length > listedMax || templates.length > listedMax) refuse(`more than ${listedMax} instances`)
  return { instances: unique(instances.map(probeFromWire)), templates: templates.map(templateFromWire) }
}

function unique(probes: InstanceProbe[]): InstanceProbe[] {
  if (new Set(probes.map(({ key }) => key)).size < probes.length) refuse('two instances have one key')
  return probes
}

const probeFromWire = (probe: wire.InstanceProbe): InstanceProbe => ({
  key: keyIn('instance.key', probe.key),
  name: shortIn('instance.name', probe.name),
  datastore: datastoreFromWire(probe.datastore),
  up: probe.up,
  ...given({
    problem: textOf(probe.problem.slice(0, textMax)),
    bytes: maybe(count, 'instance.bytes', probe.bytes),
  }),
})

const templateFromWire = ({ name, datastore }: wire.InstanceTemplate): InstanceTemplate => ({
  name: keyIn('template.name', name),
  datastore: datastoreFromWire(datastore),
})

function datastoreFromWire(datastore: wire.Datastore | undefined): Datastore {
  const { type, version } = present('datastore', datastore)
  return { type: keyIn('datastore.type', type), version: keyIn('datastore.version', version) }
}

const keyIn = (field: string, text: string): string =>
  isInstanceKey(text) ? text : refuse(`${field} has not 1 to 64 letters, digits, ".", "_" or "-"`)

const shortIn = (field: string, text: string): string =>
  text.length <= textMax ? text : refuse(`${field} is longer than ${textMax}`)
