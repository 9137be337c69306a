import type { Client, JoinToken } from '../../core/catalogue.ts'
import { later, type Instant } from '../../core/clock.ts'
import { Fault, badField } from '../../core/fault.ts'
import type { ClientId, ProjectId } from '../../core/ids.ts'
import { joinTokenText, parseJoinToken } from '../../core/tokens.ts'
import { put, unchanged, type Stored } from '../state/documents.ts'
import { newClient, replanJobsOf } from './clients.ts'
import type { Caller, Context } from './context.ts'
import { retrying } from './retrying.ts'
import { hashOf } from './tokens.ts'

/** What enrolment takes from the installation: its CA, its NATS users, its addresses. */
export interface EnrolDeps {
  /** The agents' CA: PEM, and the SHA-256 of its certificate, hex. */
  readonly ca: string
  readonly caFingerprint: string
  /** A certificate for the key of this request. Throws Fault('bad_request') naming `csr`. */
  issue(
    csr: unknown,
    agent: { readonly project: ProjectId; readonly client: ClientId },
  ): Promise<{ readonly certificate: string; readonly fingerprint: string; readonly notAfter: Instant }>
  /** Text of a NATS credentials file for this agent. */
  natsCredentials(project: ProjectId, client: ClientId, expiresAt: Instant): string
  /** URLs of NATS for agents. */
  natsServers(): readonly string[]
  /** host:port of the servers that take agents. */
  agentServers(): readonly string[]
}

/** What an agent is given: everything it needs to connect. */
export interface Enrolled {
  readonly project: ProjectId
  readonly client: ClientId
  readonly certificate: string
  readonly ca: string
  readonly servers: readonly string[]
  readonly nats: { readonly servers: readonly string[]; readonly credentials: string }
}

const ttlDefaultS = 24 * 3600
const secretBytes = 32
const idLength = 16

/** A single-use permission to enrol. `text` is its only copy. Throws Fault 'store_down'. */
export async function createJoinToken(
  context: Context,
  { caFingerprint }: Pick<EnrolDeps, 'caFingerprint'>,
  { project, user }: Caller,
  wish: { readonly client?: ClientId; readonly ttlS?: number },
): Promise<{ text: string; join: JoinToken }> {
  const { clock, secrets, state } = context
  const id = secrets.uuid().slice(0, idLength)
  const secret = secrets.random(secretBytes)
  const createdAt = clock.now()
  const join: JoinToken = {
    ...{ id, project, user, createdAt },
    ...(wish.client === undefined ? {} : { client: wish.client }),
    hash: hashOf(secret),
    expiresAt: later(createdAt, (wish.ttlS ?? ttlDefaultS) * 1000),
  }
  await state.commit({
    requires: [unchanged('join', project, id, undefined)],
    puts: [put('join', project, id, join)],
  })
  return { text: joinTokenText({ id, secret, fingerprint: caFingerprint }), join }
}

/**
 * Lets a node's agent in: spends the join token and stores the client with its certificate's fingerprint, in one transaction.
 * A client that is enrolled already can enrol again only by a token that names it. Throws Fault 'unauthenticated' (unknown,
 * spent, expired token), 'forbidden' (another client's token), 'conflict' (the name is taken), 'bad_request', 'store_down'.
 */
export async function enrol(
  context: Context,
  deps: EnrolDeps,
  request: {
    readonly joinToken: string
    readonly csr: unknown
    readonly client: ClientId
    readonly hostname: string
  },
): Promise<Enrolled> {
  const { client } = request
  const project = joinOf(context, request.joinToken).value.project
  const issued = await deps.issue(request.csr, { project, client })
  await retrying(context, async () => {
    const join = joinOf(context, request.joinToken)
    const before = context.state.get('client', project, client)
    refuseOther(join.value, client, before?.value)
    const now = context.clock.now()
    const known = before?.value ?? newClient(context, join.value, { id: client, hostname: request.hostname })
    const enrolled: Client = { ...known, enrolled: { at: now, fingerprint: issued.fingerprint } }
    await context.state.commit({
      requires: [
        unchanged('join', project, join.value.id, join),
        unchanged('client', project, client, before),
      ],
      puts: [
        put('join', project, join.value.id, { ...join.value, used: { at: now, by: client } }),
        put('client', project, client, enrolled),
      ],
    })
  })
  await replanJobsOf(context, project, client, true)
  return {
    ...{ project, client, certificate: issued.certificate, ca: deps.ca },
    servers: deps.agentServers(),
    nats: {
      servers: deps.natsServers(),
      credentials: deps.natsCredentials(project, client, issued.notAfter),
    },
  }
}

/**
 * The next certificate of an agent that proved itself by its present one. That one stays admitted until the next
 * renewal. Throws Fault 'forbidden' for a client that is not enrolled (any more), 'bad_request' naming `csr`, 'store_down'.
 */
export async function renew(
  context: Context,
  deps: EnrolDeps,
  request: {
    readonly project: ProjectId
    readonly client: ClientId
    readonly csr: unknown
    /** Of the certificate that the agent uses now. */
    readonly present: string
  },
): Promise<{ certificate: string; ca: string; natsCredentials: string }> {
  const { project, client } = request
  const issued = await deps.issue(request.csr, { project, client })
  await retrying(context, async () => {
    const before = context.state.get('client', project, client)
    const enrolled = before?.value.enrolled
    if (!before || !enrolled || enrolled.revokedAt !== undefined)
      throw new Fault('forbidden', `client ${client} is not enrolled`)
    await context.state.commit({
      requires: [unchanged('client', project, client, before)],
      puts: [
        put('client', project, client, {
          ...before.value,
          enrolled: { ...enrolled, fingerprint: issued.fingerprint, previous: request.present },
        }),
      ],
    })
  })
  return {
    certificate: issued.certificate,
    ca: deps.ca,
    natsCredentials: deps.natsCredentials(project, client, issued.notAfter),
  }
}

function joinOf({ state, clock }: Context, text: string): Stored<JoinToken> {
  const [join] = state.where('join', 'hash', hashOf(parseJoinToken(text)?.secret ?? ''))
  if (!join || join.value.used || join.value.expiresAt <= clock.now())
    throw new Fault('unauthenticated', 'the join token is not valid')
  return join
}

function refuseOther(join: JoinToken, client: ClientId, before: Client | undefined): void {
  if (join.client !== undefined && join.client !== client)
    throw new Fault('forbidden', `the join token is for client ${join.client}`)
  if (join.client === undefined && before?.enrolled && before.enrolled.revokedAt === undefined)
    throw new Fault('conflict', `client ${client} is enrolled; a join token that names it can enrol it again`)
  // Whom an administrator has shut out comes back only by that administrator's word.
  if (join.client === undefined && before?.enrolled)
    throw badField('client_id', `client ${client} was revoked; a join token that names it can enrol it again`)
}
