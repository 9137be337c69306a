import type { Command } from '../command.ts'
import { EXIT } from '../failure.ts'
import { path } from '../http.ts'
import { object, text } from '../json.ts'
import { LIST_OPTIONS, moreNote, nativeList } from '../lists.ts'
import { RESTORE_OPTIONS, startRestore } from '../restores.ts'
import { SET_ARGS, setNamed } from '../sets.ts'
import { setDetails, setsShown } from '../views/sets.ts'

const session = '53cb0690614349a48e7699e1f35c3832'

const ls: Command = {
  name: 'set ls',
  summary: 'List sets: what was made by each start of a session',
  args: [],
  options: [{ name: 'session', value: 'SESSION', help: 'only sets of this session' }, ...LIST_OPTIONS],
  examples: [
    [`firn set ls --session ${session}`, 'All starts of a session, with result, grade and start skew'],
  ],
  async run({ api, flags, out }) {
    const query = { session_id: flags.text('session') }
    const { rows, more } = await nativeList(api(), '/v1/sets', 'sets', flags, query)
    out.list(rows, setsShown(out), 'no sets: "firn session start" makes one')
    if (more) out.note(moreNote(rows.length))
    return EXIT.ok
  },
}

const get: Command = {
  name: 'set get',
  summary: 'Show a set and its members',
  args: SET_ARGS,
  options: [],
  examples: [
    [`firn set get ${session}`, 'The newest set of a session'],
    [`firn set get ${session} 3 -o json`, 'The set with tag 3, whole'],
  ],
  async run(invocation) {
    const { api, out } = invocation
    const { session, tag } = await setNamed(invocation)
    const set = object(await api().get(path`/v1/sets/${session}/${tag}`))
    out.one(
      set,
      () => `${session} ${tag}`,
      () => setDetails(set, out),
    )
    return EXIT.ok
  },
}

const restore: Command = {
  name: 'set restore',
  summary: 'Restore a whole set, each member on its own node',
  details:
    'The target may hold {client} and {job}; without them each member is restored below TARGET/CLIENT.',
  args: SET_ARGS,
  options: RESTORE_OPTIONS,
  examples: [
    [`firn set restore ${session} 3 --target /srv/restored --wait`, 'The set with tag 3, and wait for it'],
    [
      `firn set restore ${session} --target "/srv/{client}/{job}"`,
      'The newest set, into folders of this form',
    ],
  ],
  async run(invocation) {
    const { session, tag } = await setNamed(invocation)
    return startRestore(invocation, { set: { session_id: session, tag: Number(tag) } })
  },
}

const cancel: Command = {
  name: 'set cancel',
  summary: 'Cancel the runs of a set',
  args: SET_ARGS,
  options: [],
  examples: [[`firn set cancel ${session} 3`, 'Stop what was started under tag 3']],
  async run(invocation) {
    const { session, tag } = await setNamed(invocation)
    const set = object(await invocation.api().post(path`/v1/sets/${session}/${tag}/cancel`, {}))
    invocation.out.done(set, `${session} ${tag}`, `session ${session}, tag ${tag}: ${text(set, 'phase')}`)
    return EXIT.ok
  },
}

export const setCommands: readonly Command[] = [ls, get, restore, cancel]
