import type { JsonObject } from '../../core/action.ts'
import type { Client } from '../../core/catalogue.ts'
import { isoOf, type Instant } from '../../core/clock.ts'
import { ownerOf, type Version } from './shown.ts'

/** A client in Freezer's nested shape. */
export const clientView = (client: Client, version: Version): JsonObject => ({
  ...ownerOf(client, version),
  client: {
    ...client.extra,
    client_id: client.id,
    hostname: client.hostname,
    description: client.description,
    uuid: client.uuid,
  },
  firn: agentView(client),
})

/** What is known of a client's agent. */
function agentView({ enrolled, line, agent, labels }: Client): JsonObject {
  const iso = (at: Instant | undefined): string | null => (at === undefined ? null : isoOf(at))
  return {
    enrolled_at: iso(enrolled?.at),
    ...(enrolled?.revokedAt === undefined ? {} : { revoked_at: iso(enrolled.revokedAt) }),
    line: line.is,
    since: line.is === 'never' ? null : iso(line.since),
    agent: agent
      ? {
          version: agent.version,
          os: agent.os,
          hostname: agent.hostname,
          engines: agent.engines.map(({ engine, available, version, capabilities, problems }) => ({
            ...{ engine, available, version: version ?? null },
            capabilities: [...capabilities],
            problems: [...problems],
          })),
        }
      : null,
    labels: { ...labels },
  }
}
