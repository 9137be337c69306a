import { clientId, jobId, projectId, runId, sessionId } from '../core/ids.ts'
import type { ClientId, JobId, ProjectId, RunId, SessionId } from '../core/ids.ts'

/*
 * How Firn's NATS subjects and streams are spelled: nowhere else. docs/events.md tells what travels on them.
 *
 *   firn.<project>.run.<client>.<job>.<event>
 *   firn.<project>.run.<client>.<job>.log.<run>
 *   firn.<project>.set.<session>.<event>
 *   firn.<project>.client.<client>.<event>
 */

export type Subject =
  /** `event`: anything but `log`. */
  | {
      readonly about: 'run'
      readonly project: ProjectId
      readonly client: ClientId
      readonly job: JobId
      readonly event: string
    }
  /** Lines of one run's log. */
  | {
      readonly about: 'log'
      readonly project: ProjectId
      readonly client: ClientId
      readonly job: JobId
      readonly run: RunId
    }
  | {
      readonly about: 'set'
      readonly project: ProjectId
      readonly session: SessionId
      readonly event: string
    }
  | {
      readonly about: 'client'
      readonly project: ProjectId
      readonly client: ClientId
      readonly event: string
    }

/** Events of runs that are not told by a server but have a way of their own. */
export const ownRunEvents = ['result', 'log', 'progress'] as const

/** What the stored copy of an event's subject starts with, instead of `firn`. */
const storedRoot = 'firn-events'

/**
 * The JetStream streams. Their subjects do not overlap: each message is in one stream at most.
 *
 * Events are published to subjects of the stream's own, and NATS itself publishes them again on their public subject once
 * they are stored, with the header Nats-Sequence. For only a stream whose subjects hold nothing else can be read for one
 * project: NATS has no "all run events but results, logs and progress".
 */
export const streams = {
  /** Reports of agents, until a server has taken them. */
  results: { name: 'FIRN_RESULTS', subjects: ['firn.*.run.*.*.result'] },
  /** What happened, for operators and for SSE, which resumes by stream sequence. */
  events: {
    name: 'FIRN_EVENTS',
    subjects: [`${storedRoot}.>`],
    republish: { src: `${storedRoot}.>`, dest: 'firn.>' },
  },
  /** Log lines of runs. */
  logs: { name: 'FIRN_LOGS', subjects: ['firn.*.run.*.*.log.*'] },
} as const

/** The durable consumer of results that all servers share. */
export const resultConsumer = 'firn-servers'

/** The subject's text. Tokens are percent-encoded outside `[A-Za-z0-9_-]`. None may be empty. */
export function subjectOf(subject: Subject): string {
  const start = ['firn', token(subject.project)]
  switch (subject.about) {
    case 'run':
      return [...start, 'run', token(subject.client), token(subject.job), token(subject.event)].join('.')
    case 'log':
      return [...start, 'run', token(subject.client), token(subject.job), 'log', token(subject.run)].join('.')
    case 'set':
      return [...start, 'set', token(subject.session), token(subject.event)].join('.')
    case 'client':
      return [...start, 'client', token(subject.client), token(subject.event)].join('.')
  }
}

/**
 * What a subject is about; undefined for every text that `subjectOf` does not write, so that a thing has one spelling
 * and a permission for that spelling covers it. Never throws.
 */
export function parseSubject(text: string): Subject | undefined {
  const [root, ...tokens] = text.split('.')
  if (root !== 'firn') return undefined
  const parts = tokens.map(textOfToken)
  try {
    const subject = subjectOfParts(parts)
    return subject !== undefined && subjectOf(subject) === text ? subject : undefined
  } catch {
    return undefined
  }
}

/** Throws Fault('bad_request') where a part is no id of its kind. */
function subjectOfParts([project, about, ...rest]: (string | undefined)[]): Subject | undefined {
  const [a, b, c, d] = rest
  const at = `${about}/${rest.length}`
  if (at === 'run/3' && isEvent(c) && c !== 'log')
    return { about: 'run', project: projectId(project), client: clientId(a), job: jobId(b), event: c }
  if (at === 'run/4' && c === 'log')
    return { about: 'log', project: projectId(project), client: clientId(a), job: jobId(b), run: runId(d) }
  if (at === 'set/2' && isEvent(b))
    return { about: 'set', project: projectId(project), session: sessionId(a), event: b }
  if (at === 'client/2' && isEvent(b))
    return { about: 'client', project: projectId(project), client: clientId(a), event: b }
  return undefined
}

const isEvent = (text: string | undefined): text is string => text !== undefined && text !== ''

/** Where an event of this subject is published, to be stored. */
export const storedSubject = (subject: string): string => storedRoot + subject.slice('firn'.length)

/** The public subject of a stored event. */
export const publicSubject = (stored: string): string => `firn${stored.slice(storedRoot.length)}`

/** The stored events of a project. */
export const storedProjectSubjects = (project: ProjectId): string => `${storedRoot}.${token(project)}.>`

/** Everything of a project: what an operator of it may subscribe to. */
export const projectSubjects = (project: ProjectId): string => `firn.${token(project)}.>`

/** The progress of all runs of a project. Plain: kept by no stream. */
export const progressSubjects = (project: ProjectId): string => `firn.${token(project)}.run.*.*.progress`

/** The progress of all runs there are: for servers, which show it wherever its line ends. */
export const everyProgress = 'firn.*.run.*.*.progress'

/** All that an agent may publish: the results and log lines of its own runs. */
export const agentSubjects = (project: ProjectId, client: ClientId): string[] => [
  `firn.${token(project)}.run.${token(client)}.*.result`,
  `firn.${token(project)}.run.${token(client)}.*.log.*`,
]

/** Where an agent gets its acknowledgements: a prefix of its own, so that none can listen to another's. */
export const agentInbox = (project: ProjectId, client: ClientId): string =>
  `_INBOX_AGENT.${token(project)}.${token(client)}`

/** The prefix of the servers' inboxes. */
export const serverInbox = '_INBOX_SERVER'

/** All that a server publishes and subscribes to besides JetStream's own subjects. */
export const serverSubjects = ['firn.>', `${storedRoot}.>`]

/** Leaves only characters that are a token's in every NATS version: no ".", "*", ">" and no blank. */
const token = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replace(
    /[.!~*'()]/g,
    (it) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`,
  )

function textOfToken(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
