import { expect, it } from 'vitest'
import { projectId, userId } from '../core/ids.ts'
import type { Caller } from '../controller/use-cases/context.ts'
import { OpenStreams } from './open-streams.ts'

const caller = (): Caller => ({
  project: projectId('p1'),
  user: userId('u'),
  userName: 'u',
  role: 'viewer',
})

it('lets no token take all streams, and takes no more than the server bears', () => {
  const streams = new OpenStreams()
  const callers = Array.from({ length: 6 }, caller)
  const [first, , , , , last] = callers as [Caller, Caller, Caller, Caller, Caller, Caller]
  const ends = Array.from({ length: 100 }, () => streams.begin(first))
  expect(() => streams.begin(first)).toThrow('100 streams are open with this token already')
  for (const one of callers.slice(1, 5)) for (let n = 0; n < 100; n++) streams.begin(one)
  expect(() => streams.begin(last)).toThrow('500 streams are open already')
  ends[0]?.()
  expect(() => streams.begin(last)).not.toThrow()
  expect(() => streams.begin(first)).toThrow()
})
