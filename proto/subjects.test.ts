import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ClientId, JobId, ProjectId, RunId, SessionId } from '../core/ids.ts'
import {
  agentInbox,
  agentSubjects,
  parseSubject,
  projectSubjects,
  publicSubject,
  storedProjectSubjects,
  storedSubject,
  streams,
  subjectOf,
} from './subjects.ts'
import type { Subject } from './subjects.ts'

const id = fc.stringMatching(/^[\w-]{1,64}$/)
const host = fc.stringMatching(
  /^([\w-]{1,8}_)?[A-Za-z0-9]{1,9}(\.[A-Za-z0-9]([A-Za-z0-9-]{0,9}[A-Za-z0-9])?){0,4}$/,
)
const event = fc.oneof(
  fc.constantFrom('result', 'progress', 'created', 'finished'),
  fc.stringMatching(/^[a-z_.%*> ]{1,12}$/),
)

const subjects: fc.Arbitrary<Subject> = fc.oneof(
  fc.record({
    about: fc.constant('run' as const),
    project: id,
    client: host,
    job: id,
    event: event.filter((it) => it !== 'log'),
  }),
  fc.record({ about: fc.constant('log' as const), project: id, client: host, job: id, run: id }),
  fc.record({ about: fc.constant('set' as const), project: id, session: id, event }),
  fc.record({ about: fc.constant('client' as const), project: id, client: host, event }),
) as fc.Arbitrary<Subject>

/** NATS's own matching: `*` is one token, a trailing `>` one or more. */
function matches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.')
  const given = subject.split('.')
  if (wanted.at(-1) === '>')
    return (
      given.length >= wanted.length && wanted.slice(0, -1).every((it, i) => it === '*' || it === given[i])
    )
  return wanted.length === given.length && wanted.every((it, i) => it === '*' || it === given[i])
}

const project = 'p1' as ProjectId
const client = 'tenant_web.example.org' as ClientId
const job = 'nightly' as JobId

describe('a subject', () => {
  it('reads as docs/events.md says', () => {
    expect(subjectOf({ about: 'run', project, client, job, event: 'finished' })).toBe(
      'firn.p1.run.tenant_web%2Eexample%2Eorg.nightly.finished',
    )
    expect(subjectOf({ about: 'log', project, client, job, run: 'r1' as RunId })).toBe(
      'firn.p1.run.tenant_web%2Eexample%2Eorg.nightly.log.r1',
    )
    expect(subjectOf({ about: 'set', project, session: 's1' as SessionId, event: 'started' })).toBe(
      'firn.p1.set.s1.started',
    )
    expect(subjectOf({ about: 'client', project, client: 'db' as ClientId, event: 'online' })).toBe(
      'firn.p1.client.db.online',
    )
  })

  it('comes back as it was', () => {
    fc.assert(
      fc.property(subjects, (subject) => {
        expect(parseSubject(subjectOf(subject))).toEqual(subject)
      }),
    )
  })

  it('is legal in NATS, whatever its parts hold', () => {
    fc.assert(
      fc.property(subjects, (subject) => {
        for (const token of subjectOf(subject).split('.')) expect(token).toMatch(/^[\w%-]+$/)
      }),
    )
  })

  it('is read from any text without throwing, and only in its one spelling', () => {
    const texts = fc.oneof(
      fc.string(),
      fc
        .array(fc.oneof(fc.string(), id, fc.constantFrom('firn', 'run', 'log', '%', '%2e')))
        .map((it) => it.join('.')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        const subject = parseSubject(text)
        expect(subject === undefined ? text : subjectOf(subject)).toBe(text)
      }),
    )
    expect(parseSubject('firn.p1.client.a%2Eb.online')).toBeDefined()
    expect(parseSubject('firn.p1.client.a%2eb.online')).toBeUndefined()
    expect(parseSubject('firn.%701.client.ab.online')).toBeUndefined()
  })
})

describe('streams', () => {
  const all = Object.values(streams)
  const holders = (text: string) =>
    all.filter((stream) => stream.subjects.some((it) => matches(it, text))).map(({ name }) => name)

  it('keep each subject once at most', () => {
    fc.assert(
      fc.property(subjects, (subject) => {
        const { about } = subject
        const kept =
          about === 'log'
            ? ['FIRN_LOGS']
            : about === 'run' && subject.event === 'result'
              ? ['FIRN_RESULTS']
              : []
        expect(holders(subjectOf(subject))).toEqual(kept)
        expect(holders(storedSubject(subjectOf(subject)))).toEqual(['FIRN_EVENTS'])
      }),
    )
  })

  it('tell a stored event on its public subject, which is no stored one', () => {
    fc.assert(
      fc.property(subjects, (subject) => {
        const text = subjectOf(subject)
        expect(publicSubject(storedSubject(text))).toBe(text)
        expect(matches(storedProjectSubjects(subject.project), storedSubject(text))).toBe(true)
        expect(matches(projectSubjects(subject.project), storedSubject(text))).toBe(false)
      }),
    )
  })
})

describe('permissions', () => {
  it('let an agent publish results and logs of its own runs only', () => {
    fc.assert(
      fc.property(subjects, id, host, (subject, someProject, someClient) => {
        const mayPublish = agentSubjects(someProject as ProjectId, someClient as ClientId).some((it) =>
          matches(it, subjectOf(subject)),
        )
        const own = subject.project === someProject && 'client' in subject && subject.client === someClient
        const kind = subject.about === 'log' || (subject.about === 'run' && subject.event === 'result')
        expect(mayPublish).toBe(own && kind)
      }),
    )
    expect(
      agentSubjects(project, client).some((it) =>
        matches(it, subjectOf({ about: 'run', project, client, job, event: 'result' })),
      ),
    ).toBe(true)
  })

  it('give each agent an inbox that no other covers, and an operator one project', () => {
    expect(agentInbox(project, 'a' as ClientId)).not.toBe(agentInbox(project, 'b' as ClientId))
    expect(
      matches(`${agentInbox(project, 'a' as ClientId)}.>`, `${agentInbox(project, 'a.b' as ClientId)}.x`),
    ).toBe(false)
    fc.assert(
      fc.property(subjects, id, (subject, other) => {
        expect(matches(projectSubjects(other as ProjectId), subjectOf(subject))).toBe(
          subject.project === other,
        )
      }),
    )
  })
})
