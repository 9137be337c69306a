import type { FaultCode } from '../../core/fault.ts'
import type { EdgeCode } from '../faults.ts'

/** What the reference says of the whole and of its parts, in the order in which they are told. */
export const tagTexts: { readonly whole: string; readonly tags: Readonly<Record<string, string>> } = {
  whole: `Four APIs over one state. Freezer's (\`/v1\`, \`/v2/{project_id}\`), Trove's (\`/v1.0/{accountId}\`) and Qinling's
(\`/qinling/v1\`) are as published, each with its own form of errors; Firn's own answers errors as RFC 9457. A job
that is made by one is a job in the others, where its shape can be said there.

The token goes in the header \`X-Auth-Token\` with every request but those that take none. A slash at the end of a path
makes no difference. Bodies are JSON, at most 1 MiB. Another project's things are "not found".`,
  tags: {
    Runs: 'One job on one client for one slot.',
    Sets: 'Everything that one start of a session made.',
    Slots: 'What became of the slots of a job, and what would run.',
    Restores: 'What brings backups back, and a look into them.',
    Repositories: 'Where engines keep data.',
    Events: 'What happens, as it happens.',
    Access: 'Who may do what: tokens.',
    Enrolment: 'How nodes are let in, and shut out.',
    'Freezer v1': "The published API of OpenStack Freezer: everybody's own documents.",
    'Freezer v2': 'The same documents by project.',
    Trove: 'The published API of OpenStack Trove, as far as backups go.',
    Qinling: 'The published API of OpenStack Qinling: cron jobs that call saved actions.',
    Discovery: 'What there is here, for clients that ask.',
    Server: 'How this server stands, and what it can be asked.',
  },
}

/** What each code of a problem means, for those who follow its `type`. */
export const faultTexts: Readonly<Record<FaultCode | EdgeCode, string>> = {
  bad_request: 'The request is malformed; `field` names the part. Nothing was stored.',
  not_found: "There is no such thing, or it is another project's.",
  conflict: 'It exists already, or the state does not allow it.',
  forbidden: 'The caller is known but may not do this.',
  unauthenticated: 'There is no token, or one that is not valid, or not any more.',
  stale_write: 'Others changed the thing all the while. Nothing was stored: try again.',
  precondition_failed:
    'The document is not, or no longer, the one that `If-Match` names. Nothing was stored: read it again.',
  unreadable:
    'What is stored there is of a later release of the servers, or damaged. It is kept as it is, and nothing was stored.',
  fenced: 'The server lost its place while it wrote. Try again.',
  store_down:
    'The store does not answer. The write may or may not have happened: try again with the same `Idempotency-Key`.',
  identity_down:
    'Keystone, which issued the token, does not say whose it is. Nothing was done: try again. Tokens of Firn are not concerned.',
  feed_down: 'NATS does not answer: there is nothing to follow now. Come back with the last id.',
  agent_offline: 'The node has no open line to this server.',
  busy: 'Not now: a hold-off, or something is under way. `Retry-After` says when, if that is known.',
  unsupported: 'The node or this release cannot do it.',
  bad_message: 'A peer sent something that this version cannot read.',
  too_much: 'A bound was reached: ask for less at once, or later.',
  timeout: 'It took longer than it may.',
  cancelled: 'Somebody asked for it to stop, or the request broke off.',
  stopping: 'This server is going away: ask another one.',
  tool_failed: 'A program on the node failed; `detail` says how.',
  malformed_json: 'The body is no JSON.',
  invalid_parameter: 'A number of the query is none, or out of its bounds.',
  bad_data: 'The metadata of a backup lack what every record needs.',
  unknown_path: 'Nothing is at this path.',
  wrong_method: 'The path takes other methods: the header `Allow` names them.',
  not_acceptable: 'The request accepts no form that this answers in.',
  body_too_large: 'The body has more than 1 MiB.',
  too_many_requests: 'Too many requests with this token: `Retry-After` says when to go on.',
  not_implemented: 'This release does not do it.',
  wrong_media_type: 'A body is `application/json`.',
  key_reused: 'The `Idempotency-Key` was used for another request: use another one.',
  outcome_unknown:
    'The first request with this `Idempotency-Key` broke off: it may have been done or not. Look, then use another key.',
  bug: "Nobody foresaw this. The server's log has it, under the request's id.",
}
