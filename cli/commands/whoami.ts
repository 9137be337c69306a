import type { Command } from '../command.ts'
import { EXIT } from '../failure.ts'
import { object, text } from '../json.ts'

const whoami: Command = {
  name: 'whoami',
  summary: 'Show which server is used, and as whom',
  args: [],
  options: [],
  examples: [['firn whoami', 'Server, project, user and role']],
  async run({ api, out, settings }) {
    const answer = object(await api().get('/v1/whoami'))
    out.one(
      answer,
      () => text(answer, 'user_id'),
      () =>
        out.details([
          ['server', `${settings.server} (from ${settings.from})`],
          ['project', text(answer, 'project_id')],
          ['user', text(answer, 'user_name') || text(answer, 'user_id')],
          ['role', text(answer, 'role')],
        ]),
    )
    return EXIT.ok
  },
}

export const whoamiCommands: readonly Command[] = [whoami]
