import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { identityDir } from '../../agent/enrol.ts'
import { Renewal } from '../../agent/renewal.ts'
import { makeCsr } from '../../agent/security/csr.ts'
import { ownKey, readIdentity, storeIdentity } from '../../agent/security/identity.ts'
import { lineHandler } from '../../controller/lines.ts'
import { memoryStore } from '../../controller/memory/backend.ts'
import type { AgentLine } from '../../controller/ports/lines.ts'
import { issueFromCsr, openAuthority } from '../../controller/security/ca.ts'
import { put } from '../../controller/state/documents.ts'
import { State } from '../../controller/state/state.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import type { Client } from '../../core/catalogue.ts'
import { clientId, projectId, userId } from '../../core/ids.ts'
import type { ToAgent } from '../../core/link.ts'
import { eventually } from '../support/eventually.ts'
import { manualClock } from '../support/manual-clock.ts'
import { tempDir } from '../support/temp.ts'

const dayMs = 86_400_000
const who = { project: projectId('p1'), client: clientId('n1') }

/** An enrolled agent and the server's side of its line, without a network between them. */
async function rig(dir: { path: string; join(name: string): string }) {
  const clock = manualClock()
  const ca = await openAuthority(dir.join('ca'), 'agents', clock.now())
  const csr = await makeCsr(await ownKey(identityDir(dir.path)))
  const first = await issueFromCsr(ca, csr, who, clock.now())
  const answer = { certificate: first.certificate, ca: ca.certificate }
  const identity = await storeIdentity(identityDir(dir.path), answer, ca.fingerprint)
  const backend = memoryStore().backend()
  const state = new State(backend, clock)
  await eventually(() => state.loaded)
  const client: Client = {
    ...{
      id: who.client,
      project: who.project,
      user: userId('u1'),
      hostname: 'n1',
      description: '',
      uuid: 'u',
    },
    ...{ labels: {}, line: { is: 'never' }, createdAt: clock.now() },
    enrolled: { at: clock.now(), fingerprint: first.fingerprint },
  }
  await state.commit({ requires: [], puts: [put('client', 'p1', 'n1', client)] })
  const failures: unknown[] = []
  const handler = lineHandler({
    context: { state, clock } as unknown as Context,
    enrol: {
      ...{ ca: ca.certificate, caFingerprint: ca.fingerprint },
      issue: (request, agent) => issueFromCsr(ca, request, agent, clock.now()),
      natsCredentials: () => 'new credentials',
      natsServers: () => [],
      agentServers: () => [],
    },
    failed: (_, error) => failures.push(error),
    ...({} as Pick<Parameters<typeof lineHandler>[0], 'reconciler' | 'asks' | 'board' | 'events'>),
  })
  return { clock, ca, identity, state, handler, failures }
}

describe('a certificate that is nearly over', () => {
  it('is renewed over the line, kept on disk, and the one before is still admitted', async () => {
    await using dir = await tempDir()
    const { clock, identity, handler, failures } = await rig(dir)
    const used: string[] = []
    const line = {
      ...who,
      fingerprint: identity.fingerprint,
      send: (message: ToAgent) => message.type === 'renewed' && (void renewal.renewed(message), true),
    } as AgentLine
    const renewal: Renewal = new Renewal(identity, {
      stateDir: dir.path,
      clock,
      record: () => {},
      send: (message) => (handler.received(line, message), true),
      useCredentials: (text) => used.push(text),
    })
    const stop = new AbortController()
    clock.advance(61 * dayMs)
    const keeping = renewal.keepUp(stop.signal)
    await eventually(() => used.length === 1)
    stop.abort()
    await keeping
    const kept = await readIdentity(identityDir(dir.path))
    expect(failures).toEqual([])
    expect(kept?.fingerprint).toBe(renewal.identity.fingerprint)
    expect(kept?.fingerprint).not.toBe(identity.fingerprint)
    expect(kept!.notAfter - identity.notAfter).toBe(61 * dayMs)
    expect(await readFile(dir.join('identity/nats.creds'), 'utf8')).toBe('new credentials')
    for (const fingerprint of [identity.fingerprint, kept!.fingerprint])
      expect(handler.admits(who.project, who.client, fingerprint)).toBe(true)
    expect(handler.admits(who.project, who.client, 'f'.repeat(64))).toBe(false)
  })

  it('stays admitted while it is in use, however many answers are lost', async () => {
    await using dir = await tempDir()
    const { identity, handler, failures, state } = await rig(dir)
    const line = { ...who, fingerprint: identity.fingerprint, send: () => false } as unknown as AgentLine
    const shown = () => state.get('client', 'p1', 'n1')!.value.enrolled!.fingerprint
    for (let lost = 1; lost <= 3; lost++) {
      const before = shown()
      handler.received(line, { type: 'renew', csr: await makeCsr(identity.key) })
      await eventually(() => shown() !== before)
      expect(handler.admits(who.project, who.client, identity.fingerprint)).toBe(true)
    }
    expect(failures).toEqual([])
  })

  it('is not renewed for a client that was revoked', async () => {
    await using dir = await tempDir()
    const { clock, identity, handler, failures, state } = await rig(dir)
    const client = state.get('client', 'p1', 'n1')!.value
    const revoked = { ...client, enrolled: { ...client.enrolled!, revokedAt: clock.now() } }
    await state.commit({ requires: [], puts: [put('client', 'p1', 'n1', revoked)] })
    const answers: ToAgent[] = []
    const line = { ...who, send: (message: ToAgent) => answers.push(message) > 0 } as unknown as AgentLine
    handler.received(line, { type: 'renew', csr: await makeCsr(identity.key) })
    await eventually(() => failures.length === 1)
    expect(failures[0]).toMatchObject({ code: 'forbidden' })
    expect(answers).toEqual([])
  })

  it('is refused by the agent when it comes from another CA', async () => {
    await using dir = await tempDir()
    const { clock, identity } = await rig(dir)
    const other = await openAuthority(dir.join('other'), 'agents', clock.now())
    const issued = await issueFromCsr(other, await makeCsr(identity.key), who, clock.now())
    const told: string[] = []
    const renewal = new Renewal(identity, {
      ...{ stateDir: dir.path, clock, send: () => true, useCredentials: () => told.push('used') },
      record: (event) => told.push(event),
    })
    const message = { certificate: issued.certificate, ca: other.certificate, natsCredentials: 'x' }
    await renewal.renewed({ type: 'renewed', ...message })
    expect(told).toEqual(['certificate.refused'])
    expect((await readIdentity(identityDir(dir.path)))?.fingerprint).toBe(identity.fingerprint)
  })
})
