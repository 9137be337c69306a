// The messages of a release, in its own bytes.
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as ids from '../../core/ids.ts'
import type * as lines from '../../proto/line.ts'
import type * as wires from '../../proto/wire.ts'
import { samplesOf } from './samples.ts'

/** What the release of a checkout sends: each message in base64, beside what it says. */
export async function recordLine(checkout: string) {
  const from = async (file: string): Promise<unknown> => import(pathToFileURL(path.join(checkout, file)).href)
  const { runIdOf, projectId, jobId, clientId, userSlot } = (await from('core/ids.ts')) as typeof ids
  const { encodeToAgent, encodeToServer } = (await from('proto/line.ts')) as typeof lines
  const { reportToJson } = (await from('proto/wire.ts')) as typeof wires
  const slot = userSlot('u1' as never, 'recorded')
  const run = runIdOf(projectId('p'), jobId('j'), clientId('node-a'), slot)
  const { toAgent, toServer, report, talk } = samplesOf(run)
  const said = <T>(values: readonly T[], encode: (value: T) => Buffer) =>
    values.map((value) => ({ value, bytes: encode(value).toString('base64') }))
  return {
    run,
    toAgent: said(toAgent, encodeToAgent),
    toServer: said(toServer, encodeToServer),
    report: { value: report, text: reportToJson(report) },
    talk: {
      agent: said(talk.agent, encodeToServer),
      server: said(talk.server, encodeToAgent),
      report: reportToJson(talk.report),
    },
  }
}
