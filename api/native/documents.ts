import { z } from 'zod'
import type { Action } from '../../core/action.ts'
import type { Phase, TreeEntry } from '../../core/link.ts'
import type { Result, Run, RunState } from '../../core/run.ts'
import type { Grade, SetPhase } from '../../core/set.ts'
import { at, count } from './forms.ts'

/* The documents that the own API answers with. A test holds every answer against them. */

/** One of the words of a type: all of them, or it does not compile. */
const oneOf = <W extends string>(all: Readonly<Record<W, true>>) => z.enum(Object.keys(all) as [W, ...W[]])

const resultWord = oneOf<Result>({ success: true, partial: true, failed: true, aborted: true, lost: true })

const resultForm = resultWord.nullable().meta({
  description:
    'Null until it has ended. `partial`: kept, but some sources could not be read. `lost`: nobody can say what became of it',
})

const reasonForm = z
  .object({
    code: z.string().meta({ description: 'For programs: `locked`, `no_space`, `policy`, `cancelled` …' }),
    text: z.string().meta({ description: 'For people' }),
  })
  .meta({ id: 'Reason' })

const statsForm = z
  .object({
    files_new: count().optional(),
    files_changed: count().optional(),
    files_unmodified: count().optional(),
    bytes_processed: count().optional(),
    bytes_added: count('Not in the repository before, uncompressed').optional(),
    bytes_stored: count('What the repository grew by').optional(),
    duration_ms: z.number().min(0),
  })
  .meta({ id: 'Stats', description: 'As far as the engine tells. Sizes in bytes' })

const phaseWord = oneOf<Phase>({
  prepare: true,
  scan: true,
  transfer: true,
  commit: true,
  verify: true,
  cleanup: true,
})

const progressForm = z
  .object({
    step: count('Index into the steps'),
    phase: phaseWord,
    done: z.number().meta({ description: 'Bytes, or items for engines that have no bytes' }),
    errors: count(),
    total: z.number().nullable(),
    files_done: z.number().nullable(),
    files_total: z.number().nullable(),
    fraction: z.number().min(0).max(1).nullable().meta({ description: 'Of the whole; never goes back' }),
    bytes_per_second: z.number().nullable(),
    seconds_left: z.number().nullable(),
    current: z.string().nullable().meta({ description: 'What it is at: a path' }),
  })
  .meta({ id: 'Progress', description: 'What is known of the moment, and never stored' })

const deedWord = oneOf<Action['do']>({ backup: true, restore: true, exec: true, verify: true, forget: true })

const stepForm = z
  .object({
    action_id: z.string(),
    do: deedWord,
    engine: z.string(),
    backup_name: z.string().nullable(),
    tries: count(),
    result: oneOf<Result | 'skipped'>({
      ...{ success: true, partial: true, failed: true, aborted: true, lost: true, skipped: true },
    }).nullable(),
    reason: reasonForm.nullable(),
    backup_id: z.string().nullable().meta({ description: 'The catalogue entry that it made' }),
    stats: statsForm.nullable(),
    item_error_count: count('Files that could not be read or written'),
    started_at: at(),
    ended_at: at(),
  })
  .meta({ id: 'Step' })

const runStateWord = oneOf<RunState['is']>({
  waiting: true,
  offered: true,
  armed: true,
  running: true,
  unknown: true,
  cancelling: true,
  finished: true,
})

const purposeWord = oneOf<Run['purpose']>({ job: true, restore: true, forget: true })

/** Where a run stands. */
export const runStateForm = runStateWord.meta({
  description:
    '`offered`: an order may be on its way. `armed`: ready, waits for the start of its session. `unknown`: its node is silent; it may well be working',
})

/** One job on one client for one slot. */
export const runForm = z
  .object({
    run_id: z.string(),
    job_id: z.string(),
    client_id: z.string(),
    project_id: z.string(),
    slot: z.string().meta({
      description: 'What it is for: `at:<ms since 1970>`, `manual:<user>:<key>` or `session:<session>:<tag>`',
    }),
    session: z.object({ session_id: z.string(), tag: count() }).nullable(),
    purpose: purposeWord,
    restore_id: z.string().nullable(),
    state: runStateForm,
    attempt: count('Attempts never overlap'),
    result: resultForm,
    reason: reasonForm.nullable(),
    created_at: at(),
    started_at: at(),
    ended_at: at(),
    start_error_us: z
      .number()
      .nullable()
      .meta({ description: 'Half the width of the interval that the true start lies in, in microseconds' }),
    steps: z.array(stepForm),
    progress: progressForm.nullable(),
  })
  .meta({ id: 'Run', description: 'One job on one client for one slot' })

const memberForm = z
  .object({
    job_id: z.string(),
    client_id: z.string(),
    run_id: z.string(),
    state: runStateWord.meta({ description: '`waiting` until its run is made' }),
    result: resultForm,
    reason: reasonForm.nullable(),
    started_at: at(),
    ended_at: at(),
    backup_ids: z.array(z.string()),
    stats: statsForm.nullable(),
    progress: progressForm.nullable(),
  })
  .meta({ id: 'Member' })

const setPhaseWord = oneOf<SetPhase['is']>({ preparing: true, started: true, cancelling: true, ended: true })
const gradeWord = oneOf<Grade>({ G0: true, G1: true, G2: true, G3: true, G4: true })

/** Everything made under one session tag. */
export const setForm = z
  .object({
    session_id: z.string(),
    tag: count(),
    set_id: z.string(),
    slot: z.string(),
    admitted_at: at('When the start was taken'),
    phase: setPhaseWord,
    go_at: at('The instant at which all members were told to start'),
    ended_at: at(),
    result: resultForm,
    grade: gradeWord.nullable().meta({ description: 'How consistent it is' }),
    reason: reasonForm.nullable(),
    start_skew_us: z.number().nullable().meta({ description: 'Latest minus earliest measured start' }),
    start_error_us: z.number().nullable().meta({ description: 'The largest error of these measurements' }),
    members: z.array(memberForm),
  })
  .meta({ id: 'Set', description: 'Everything made under one session tag' })

/** Where an engine keeps data. */
export const repositoryForm = z
  .object({
    repository_id: z.string(),
    project_id: z.string(),
    client_id: z.string().nullable().meta({ description: 'The node whose own it is; null: shared' }),
    engine: z.string(),
    location: z.string(),
    engine_id: z
      .string()
      .nullable()
      .meta({ description: 'Its own id, once an agent has told it; null before' }),
    created_at: at(),
  })
  .meta({ id: 'Repository', description: 'Where an engine keeps data. What opens it is never shown' })

const entryTypeWord = oneOf<TreeEntry['type']>({ file: true, dir: true, symlink: true, other: true })

/** One thing in a backup. */
export const treeEntryForm = z
  .object({
    path: z.string().meta({ description: 'Bytes that are no UTF-8 are replaced in it' }),
    path_base64: z.string().optional().meta({ description: 'The exact bytes, when `path` cannot hold them' }),
    type: entryTypeWord,
    size: z.number(),
    mode: z.int().meta({ description: 'Permission bits' }),
    mtime: z.string(),
  })
  .meta({ id: 'TreeEntry' })
