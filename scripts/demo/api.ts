// What the demo asks the REST API for.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Api, path } from '../../cli/http.ts'
import { number, object, objects, text, type Document } from '../../cli/json.ts'
import type { ProgressItem } from '../../cli/render/progress.ts'
import { memberItems } from '../../cli/views/sets.ts'

/** Sees each picture of what is waited for. */
export type Watcher = (items: readonly ProgressItem[]) => void

const pollMs = 100
const requestMs = 30_000
/** The longest that a set or a restore may take here. Milliseconds. */
const patienceMs = 300_000

/** A client of one server, for one administrator. Everything throws Failure, and the signal's reason once that aborts. */
export class Demo implements Disposable {
  readonly #api: Api
  readonly #signal: AbortSignal

  constructor(server: string, token: string, signal: AbortSignal) {
    this.#signal = signal
    this.#api = new Api({ server, token, signal, timeoutMs: requestMs, retryMs: 200, note: () => {} })
  }

  [Symbol.dispose](): void {
    this.#api.close()
  }

  /** A job that backs up one folder of one client. Answers its id. */
  async createJob(client: string, folder: string): Promise<string> {
    const action = { action: 'backup', engine_name: 'restic', backup_name: client, path_to_backup: folder }
    const answer = await this.#api.post('/v1/jobs', {
      client_id: client,
      description: `demo: ${client}`,
      job_actions: [{ freezer_action: action }],
      firn: { autostart: false },
    })
    return text(answer, 'job_id')
  }

  /** A session of these jobs, started by hand only. */
  async createSession(jobs: readonly string[]): Promise<string> {
    const body = { description: 'demo', schedule: {}, hold_off: 0 }
    const session = text(await this.#api.post('/v1/sessions', body), 'session_id')
    for (const job of jobs)
      await this.#api.request({ method: 'PUT', path: path`/v1/sessions/${session}/jobs/${job}` })
    return session
  }

  /** Starts a session and waits for the end of its set; answers that. */
  async start(session: string, watcher: Watcher): Promise<Document> {
    const started = await this.#api.post(path`/v1/sessions/${session}/start`, {}, randomUUID())
    const tag = text(started, 'tag')
    return this.#until(
      () => this.#api.get(path`/v1/sets/${session}/${tag}`),
      (set) => {
        watcher(memberItems(objects(set, 'members')))
        return text(set, 'phase') === 'ended'
      },
    )
  }

  /** Restores a whole set below a folder, and waits for that. Answers the restore. */
  async restore(session: string, tag: number, target: string, watcher: Watcher): Promise<Document> {
    const body = { set: { session_id: session, tag }, target }
    const id = text(await this.#api.post('/v1/restores', body, randomUUID()), 'restore_id')
    return this.#until(
      () => this.#api.get(path`/v1/restores/${id}`),
      (restore) => {
        watcher(memberItems(objects(restore, 'runs')))
        return text(restore, 'result') !== ''
      },
    )
  }

  /** How many things a run lists that it could not read. */
  async itemErrorsOf(run: string): Promise<number> {
    const steps = objects(await this.#api.get(path`/v1/runs/${run}`), 'steps')
    return steps.reduce((sum, step) => sum + (number(step, 'item_error_count') ?? 0), 0)
  }

  /** What a backup was based on; level 0 is a full one. */
  async parentOf(backup: string): Promise<{ level: number | undefined; parent: string }> {
    const found = await this.#api.get(path`/v1/backups/${backup}`)
    return {
      level: number(found, 'backup_metadata', 'curr_backup_level'),
      parent: text(found, 'firn', 'parent_id'),
    }
  }

  async #until(read: () => Promise<unknown>, isOver: (document: Document) => boolean): Promise<Document> {
    const giveUpAt = performance.now() + patienceMs
    for (;;) {
      const document = object(await read())
      if (isOver(document)) return document
      if (performance.now() > giveUpAt) throw new Error(`not over after ${patienceMs / 1000} s`)
      await sleep(pollMs, undefined, { signal: this.#signal })
    }
  }
}
