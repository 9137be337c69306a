// What several commands do with sets.
import type { Invocation } from './command.ts'
import type { Argument } from './option.ts'
import { EXIT, exitOf, Failure, usage } from './failure.ts'
import { path, type Api } from './http.ts'
import { number, object, objects, text } from './json.ts'
import { setDetails, setItems, tagOf } from './views/sets.ts'
import { watch } from './watch.ts'

/** A set is named by its session and tag. */
export const SET_ARGS: readonly Argument[] = [
  { name: 'SESSION', help: 'the session’s id' },
  { name: 'TAG', help: 'the session tag; the newest when left out', optional: true },
]

/** The tag of a session's newest start. Throws Failure when it was never started. */
export async function newestTag(api: Api, session: string): Promise<string> {
  const sets = objects(await api.get('/v1/sets', { session_id: session, limit: 50 }), 'sets')
  const tags = sets.flatMap((set) => number(set, 'tag') ?? [])
  if (tags.length === 0)
    throw new Failure(EXIT.notFound, `there is no set of a session ${session}`, {
      hint: 'firn session ls shows the sessions, firn session start starts one',
    })
  return String(Math.max(...tags))
}

/** The set that a command's arguments name. */
export async function setNamed({ api, args }: Invocation): Promise<{ session: string; tag: string }> {
  const session = args['SESSION']?.[0] ?? ''
  const tag = args['TAG']?.[0]
  if (tag !== undefined && !/^\d+$/.test(tag))
    throw usage(`TAG: "${tag}" is no session tag, which is a whole number`)
  return { session, tag: tag ?? (await newestTag(api(), session)) }
}

/** Waits for a set to end and prints it. Answers the exit code of its result. */
export async function watchSet(invocation: Invocation, session: string, tag: string): Promise<number> {
  const { api, out } = invocation
  const level = await watch(invocation, {
    read: async () => {
      const set = object(await api().get(path`/v1/sets/${session}/${tag}`))
      const phase = text(set, 'phase')
      return {
        title: `session ${session}, tag ${tag}: ${phase}`,
        items: setItems(set),
        hasEnded: phase === 'ended',
        result: text(set, 'result') || undefined,
        document: set,
      }
    },
    set: `${session}.${tag}`,
    follow: `firn session watch ${session} --tag ${tag}`,
    cancel: `firn set cancel ${session} ${tag}`,
  })
  const set = object(level.document)
  out.one(
    set,
    () => `${session} ${tagOf(set)}`,
    () => setDetails(set, out),
  )
  return exitOf(level.result)
}
