import { z } from 'zod'
import { isoOf } from '../../core/clock.ts'
import { clientId } from '../../core/ids.ts'
import { revokeClient } from '../../controller/use-cases/clients.ts'
import { createJoinToken, enrol } from '../../controller/use-cases/enrol.ts'
import { some } from '../fields.ts'
import { operation } from '../operation.ts'
import { line } from '../plain-text.ts'
import type { Route } from '../route.ts'
import { at, clientText, ttlSeconds } from './forms.ts'

const errors = 'problem'
const tag = 'Enrolment'

const joinRoute = operation({
  ...{ method: 'POST', path: '/v1/join-tokens', role: 'admin', errors },
  ...{ tag, id: 'createJoinToken', summary: 'Make a permission for one node to enrol, once' },
  body: z.strictObject({
    client_id: clientText('Only for this client; for any without it').optional(),
    ttl_seconds: ttlSeconds('How long it is valid; a day without it').optional(),
  }),
  answers: {
    201: z.object({ join_token: z.string().meta({ description: 'Shown only now' }), expires_at: at() }),
  },
  async answer(ask, { body }) {
    const { client_id, ttl_seconds } = await body()
    const { text, join } = await createJoinToken(ask.served.context, ask.served.enrol, ask.caller, {
      ...some('client', client_id === undefined ? undefined : clientId(client_id)),
      ...some('ttlS', ttl_seconds),
    })
    return ask.json({ join_token: text, expires_at: isoOf(join.expiresAt) }, 201)
  },
})

const enrolRoute = operation({
  ...{ method: 'POST', path: '/v1/enrol', role: 'nobody', errors },
  ...{ tag, id: 'enrol', summary: 'Let a node in that has a join token' },
  description: 'What an agent sends when it is set up. It needs no other token.',
  body: z.strictObject({
    join_token: z.string().max(1024),
    csr: z
      .string()
      .max(16_384)
      .meta({ description: 'The certificate request of the key that the node made. PEM' }),
    client_id: clientText('Who the node wants to be'),
    hostname: line(z.string().max(255)).default(''),
  }),
  answers: {
    200: z.object({
      project_id: z.string(),
      client_id: z.string(),
      certificate: z.string().meta({ description: 'PEM' }),
      ca: z.string().meta({ description: 'PEM' }),
      servers: z.array(z.string()).meta({ description: '`host:port` of the servers that take agents' }),
      nats: z.object({ servers: z.array(z.string()), credentials: z.string() }),
    }),
  },
  async answer(ask, { body }) {
    const { join_token: joinToken, csr, client_id, hostname } = await body()
    const wish = { joinToken, csr, client: clientId(client_id), hostname }
    const enrolled = await enrol(ask.served.context, ask.served.enrol, wish)
    return ask.json({
      project_id: enrolled.project,
      client_id: enrolled.client,
      certificate: enrolled.certificate,
      ca: enrolled.ca,
      servers: enrolled.servers,
      nats: enrolled.nats,
    })
  },
})

const revokeRoute = operation({
  ...{ method: 'POST', path: '/v1/clients/:client_id/revoke', role: 'admin', errors, repeat: 'harmless' },
  ...{ tag, id: 'revokeClient', summary: 'Shut a node out: its line ends, its certificates are refused' },
  answers: { 204: 'nothing' },
  async answer(ask) {
    await revokeClient(ask.served.context, ask.caller, clientId(ask.param('client_id')))
    return ask.nothing()
  },
})

export const enrolmentRoutes: readonly Route[] = [joinRoute, enrolRoute, revokeRoute]
