import { mkdir } from 'node:fs/promises'
import type { Limits } from '../../../core/action.ts'
import {
  launch,
  type Child,
  type ChildCare,
  type ChildPipes,
  type Exit,
  type Launched,
  type Output,
} from '../process/child.ts'
import { commandLadder } from '../process/ladder.ts'
import { follow, type Followed } from '../process/lines.ts'
import type { Pipe, PipeStock } from '../process/pipes.ts'

export interface PipelinePlan {
  readonly commands: readonly (readonly string[])[]
  readonly env: Readonly<Record<string, string>>
  readonly limits: Limits
  readonly pipes: PipeStock
  /** Where pipes may be made. */
  readonly folder: string
}

export type Built =
  | { readonly ok: true; readonly pipeline: Pipeline }
  /** `at`: the command that could not be started; the others are stopped. */
  | { readonly ok: false; readonly at: number; readonly code: string; readonly text: string }

/** Longest line that is kept whole. */
const lineBytesMax = 64 * 1024

/**
 * Commands joined by pipes, each in a process group of its own. The agent holds a writing end of each joint, so that a
 * command reads the end of its input only after the one before it has ended with 0; otherwise it is stopped first. So no
 * command takes half of the data for the whole of it, as it would in a shell.
 */
export class Pipeline implements AsyncDisposable {
  /** What the last command writes, and what all of them complain of. */
  readonly lines: Followed
  readonly #children: readonly Child[]
  readonly #joints: readonly Pipe[]
  readonly #joined: Promise<unknown>

  private constructor(children: readonly Child[], joints: readonly Pipe[]) {
    this.#children = children
    this.#joints = joints
    this.lines = follow(
      children.flatMap((child) => child.outputs),
      lineBytesMax,
    )
    this.#joined = Promise.all(joints.map((joint, at) => passEnd(joint, children[at], children[at + 1])))
  }

  /** Starts all commands. Throws when there are no pipes to be had. */
  static async start(plan: PipelinePlan, care: ChildCare): Promise<Built> {
    const { commands } = plan
    await mkdir(plan.folder, { recursive: true, mode: 0o700 })
    const pipes = await plan.pipes.take(2 * commands.length, plan.folder)
    // First what they complain of, then what they write: to the next one, and from the last one to the log.
    const complaints = pipes.slice(0, commands.length)
    const joints = pipes.slice(commands.length, -1)
    const output = pipes.at(-1)
    const children: Child[] = []
    const refused = await launchAll(
      plan,
      { complaints, writes: pipes.slice(commands.length) },
      children,
      care,
    )
    // The children have their ends now. What stays open here: the readers, and the writing ends of the joints.
    for (const pipe of pipes) pipe.closeRead()
    for (const pipe of [...complaints, output]) pipe?.closeWrite()
    if (refused === undefined) return { ok: true, pipeline: new Pipeline(children, joints) }
    await Promise.all(children.map((child) => child.stop(commandLadder)))
    for (const joint of joints) joint.closeWrite()
    return refused
  }

  /** How each command ended, after all lines have been read. Never rejects. */
  async ended(): Promise<readonly Exit[]> {
    await this.#joined
    return Promise.all(this.#children.map((child) => child.ended))
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop(commandLadder)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.lines.discard()
    await this.stop()
    for (const joint of this.#joints) joint.closeWrite()
  }
}

async function launchAll(
  { commands, env, limits }: PipelinePlan,
  { complaints, writes }: { readonly complaints: readonly Pipe[]; readonly writes: readonly Pipe[] },
  children: Child[],
  care: ChildCare,
): Promise<Extract<Built, { ok: false }> | undefined> {
  for (const [at, [program = '', ...args]] of commands.entries()) {
    const [stderr, stdout] = [complaints[at], writes[at]]
    if (stderr === undefined || stdout === undefined) throw new Error(`no pipes for command ${at + 1}`)
    const outputs: Output[] = [{ name: 'stderr', stream: stderr.reader() }]
    if (at === commands.length - 1) outputs.push({ name: 'stdout', stream: stdout.reader() })
    const stdin = writes[at - 1]?.read ?? 'ignore'
    const pipes: ChildPipes = { stdin, stdout: stdout.write, stderr: stderr.write, outputs }
    const launched: Launched = await launch({ program, args, env, limits, pipes }, care)
    if (!launched.ok) {
      for (const { stream } of outputs) stream.destroy()
      return { ...launched, at }
    }
    children.push(launched.child)
  }
  return undefined
}

/** Lets the end of a command's output be read only when it was a good one. */
async function passEnd(joint: Pipe, from: Child | undefined, to: Child | undefined): Promise<void> {
  const exit = await from?.ended
  if (exit?.is !== 'exited' || exit.code !== 0) await to?.stop(commandLadder)
  joint.closeWrite()
}
