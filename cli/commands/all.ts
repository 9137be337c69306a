// The table of commands. Parser, help, completion and docs/cli.md read it.
import type { Command, Launcher } from '../command.ts'
import { backupCommands } from './backup.ts'
import { clientCommands } from './client.ts'
import { completionCommand } from './completion.ts'
import { configCommands } from './config.ts'
import { eventCommands } from './events.ts'
import { instanceCommands } from './instance.ts'
import { jobCommands } from './job.ts'
import { launchers } from './launch.ts'
import { runCommands } from './run.ts'
import { sessionCommands } from './session.ts'
import { setCommands } from './set.ts'
import { tokenCommands } from './token.ts'
import { whoamiCommands } from './whoami.ts'

const all: readonly (Command | Launcher)[] = [
  ...launchers,
  ...jobCommands,
  ...sessionCommands,
  ...runCommands,
  ...setCommands,
  ...eventCommands,
  ...backupCommands,
  ...clientCommands,
  ...instanceCommands,
  ...tokenCommands,
  ...configCommands,
  ...whoamiCommands,
]

/** Every command. */
export const COMMANDS: readonly (Command | Launcher)[] = [...all, completionCommand(all)]
