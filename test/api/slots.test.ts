// What became of a job's slots, and what will: the own API over the leader's decisions.
import { describe, expect, it } from 'vitest'
import { uuidOf } from '../../core/ids.ts'
import { smallJob, startApi, type Loose } from './harness.ts'
import { startWorld, type World } from './qinling/world.ts'

const hourly = { schedule_minute: '0' }

async function world(more: object = {}): Promise<World> {
  const w = await startWorld()
  w.until('2027-01-15T10:30:00Z')
  await w.ask('POST', '/v1/jobs/j', { ...smallJob('n1'), job_schedule: hourly, ...more })
  return w
}

const look = async (w: World, time: string) => {
  w.until(time)
  await w.look(uuidOf('j'))
}

const told = ({ from, count, outcome, reason }: Loose) => [from.slice(11, 16), count, reason ?? outcome]

describe('GET /v1/jobs/{id}/slots', () => {
  it('merges runs and skipped slots, newest first, in pages', async () => {
    const w = await world()
    await look(w, '2027-01-15T11:00:00Z')
    await look(w, '2027-01-15T12:00:00Z')
    await look(w, '2027-01-15T13:00:00Z')
    await w.endRuns('failed')
    await look(w, '2027-01-15T16:00:00Z')
    const { json } = await w.ask('GET', '/v1/jobs/j/slots')
    expect(json.slots.map(told)).toEqual([
      ['16:00', 1, 'run'],
      ['14:00', 2, 'missed'],
      ['12:00', 2, 'overlap'],
      ['11:00', 1, 'run'],
    ])
    expect(json.slots[3].run).toMatchObject({ client_id: 'n1', result: 'failed' })
    expect(json.slots[2]).toMatchObject({ to: '2027-01-15T13:00:00.000Z', more: false, run: null })

    const paged: Loose[] = []
    let cursor = ''
    do {
      const page = await w.ask('GET', `/v1/jobs/j/slots?limit=1&cursor=${cursor}`)
      paged.push(...page.json.slots)
      cursor = page.json.next ?? ''
    } while (cursor !== '')
    expect(paged).toEqual(json.slots)
  })

  it('tells the slots that pass while a job is stopped', async () => {
    const w = await world()
    await w.ask('POST', '/v1/jobs/j/event', { stop: null })
    w.until('2027-01-15T13:10:00Z')
    const slots = async () => (await w.ask('GET', '/v1/jobs/j/slots')).json.slots.map(told)
    expect(await slots()).toEqual([['11:00', 3, 'paused']])
    await w.ask('POST', '/v1/jobs/j/event', { start: null })
    expect(await slots()).toEqual([['11:00', 3, 'paused']])
  })

  it('has the starts by hand, too', async () => {
    const w = await world()
    await w.ask('POST', '/v1/runs', { job_id: 'j' })
    expect((await w.ask('GET', '/v1/jobs/j/slots')).json.slots).toMatchObject([{ outcome: 'run' }])
  })

  it('knows no job of another project', async () => {
    const w = await world()
    const stranger = await w.token('admin', 'u2', 'p2')
    for (const what of ['slots', 'preview'])
      expect((await w.ask('GET', `/v1/jobs/j/${what}`, undefined, stranger)).status).toBe(404)
  })
})

describe('GET /v1/sessions/{id}/slots', () => {
  it('tells of starts, and of slots that became none', async () => {
    const w = await world()
    await w.ask('POST', '/v1/sessions/s', { description: '', schedule: hourly })
    await w.ask('PUT', '/v1/sessions/s/jobs/j')
    w.until('2027-01-15T11:00:00Z')
    await w.lookAtSession('s')
    w.until('2027-01-15T12:00:00Z')
    await w.lookAtSession('s')
    const slots = (await w.ask('GET', '/v1/sessions/s/slots')).json.slots
    expect(slots).toMatchObject([
      { from: '2027-01-15T12:00:00.000Z', count: 1, outcome: 'skipped', reason: 'overlap', set: null },
      {
        ...{ from: '2027-01-15T11:00:00.000Z', to: '2027-01-15T11:00:00.000Z', count: 1, more: false },
        ...{ outcome: 'set', reason: null, set: { session_id: 's', tag: 1 } },
      },
    ])
    const [newest] = (await w.ask('GET', '/v1/sessions/s/slots?limit=1')).json.slots
    expect(newest).toEqual(slots[0])
  })

  it('tells of those that pass while it is stopped', async () => {
    const w = await world()
    await w.ask('POST', '/v1/sessions/s', { description: '', schedule: hourly })
    await w.ask('PUT', '/v1/sessions/s/jobs/j')
    await w.ask('PATCH', '/v1/sessions/s', { event: 'stop' })
    w.until('2027-01-15T12:30:00Z')
    expect((await w.ask('GET', '/v1/sessions/s/slots')).json.slots).toMatchObject([
      { from: '2027-01-15T11:00:00.000Z', to: '2027-01-15T12:00:00.000Z', count: 2, reason: 'paused' },
    ])
  })

  it('knows no session of another project', async () => {
    const w = await world()
    await w.ask('POST', '/v1/sessions/s', { description: '', schedule: hourly })
    const stranger = await w.token('admin', 'u2', 'p2')
    expect((await w.ask('GET', '/v1/sessions/s/slots', undefined, stranger)).status).toBe(404)
  })
})

describe('GET /v1/sessions/{id}/preview', () => {
  const session = async (w: World, more: object = {}) => {
    await w.ask('POST', '/v1/sessions/s', {
      ...{ description: '', schedule: { schedule_interval: '10 minutes' } },
      ...more,
    })
    await w.ask('PUT', '/v1/sessions/s/jobs/j')
  }
  const expected = async (w: World) => (await w.ask('GET', '/v1/sessions/s/preview?limit=3')).json
  const shown = ({ slot, starts_at: startsAt, reason }: Loose) => [
    slot.slice(11, 16),
    startsAt?.slice(11, 16) ?? reason,
  ]

  it('shows when it would start, and where its hold-off keeps it from that', async () => {
    const w = await world()
    await session(w, { hold_off: 900 })
    const { slots, ...rest } = await expected(w)
    expect(rest).toEqual({ starts: 'schedule', run_ms: null, more: true, unknown_on: null, pending_on: null })
    expect(slots.map(shown)).toEqual([
      ['10:40', '10:40'],
      ['10:50', 'hold_off'],
      ['11:00', '11:00'],
    ])
    // As it then is: slots come every ten minutes from when the session was made, within some seconds.
    for (const time of ['10:40', '10:50']) {
      w.until(`2027-01-15T${time}:59Z`)
      await w.lookAtSession('s')
    }
    const [newest] = (await w.ask('GET', '/v1/sessions/s/slots')).json.slots
    expect(newest).toMatchObject({ outcome: 'skipped', reason: 'hold_off' })
    expect((await expected(w)).slots.map(shown)[0]).toEqual(['11:00', '11:00'])
  })

  it('shows what a stopped one would skip, and leaves one of other schedulers to them', async () => {
    const w = await world()
    await session(w)
    await w.ask('PATCH', '/v1/sessions/s', { event: 'stop' })
    expect(await expected(w)).toMatchObject({ starts: 'nobody', slots: [{ reason: 'paused' }, {}, {}] })
    await w.ask('POST', '/v1/jobs/e', { ...smallJob('elsewhere'), job_schedule: hourly })
    await w.ask('POST', '/v1/sessions/t', { description: '', schedule: hourly })
    expect((await w.ask('GET', '/v1/sessions/t/preview')).json).toMatchObject({ starts: 'nobody' })
    await w.ask('PUT', '/v1/sessions/t/jobs/e')
    expect((await w.ask('GET', '/v1/sessions/t/preview')).json).toMatchObject({
      ...{ starts: 'elsewhere', slots: [] },
    })
  })

  it('is not shown to others, nor for what is no span', async () => {
    const w = await world()
    await session(w)
    const stranger = await w.token('admin', 'u2', 'p2')
    expect((await w.ask('GET', '/v1/sessions/s/preview', undefined, stranger)).status).toBe(404)
    expect((await w.ask('GET', '/v1/sessions/s/preview?to=2026-01-01T00:00:00Z')).status).toBe(400)
  })
})

describe('GET /v1/jobs/{id}/preview', () => {
  it('shows a week from now, or what is asked for', async () => {
    const w = await world({ firn: { timezone: 'Europe/Berlin' } })
    const week = (await w.ask('GET', '/v1/jobs/j/preview?limit=200')).json
    expect(week).toMatchObject({ starts: 'schedule', run_ms: null, more: false })
    expect(week.slots).toHaveLength(7 * 24)
    const query = 'from=2027-01-16T00:30:00Z&to=2027-01-16T03:00:00%2B01:00'
    expect((await w.ask('GET', `/v1/jobs/j/preview?${query}`)).json.slots).toEqual([
      {
        slot: '2027-01-16T01:00:00.000Z',
        local: '2027-01-16T02:00:00+01:00',
        starts_at: '2027-01-16T01:00:00.000Z',
        ...{ reason: null, overlaps: false, dst: null },
      },
    ])
  })

  it('shows what a stopped job would skip, and leaves the others to who starts them', async () => {
    const w = await world()
    await w.ask('POST', '/v1/jobs/j/event', { stop: null })
    const stopped = (await w.ask('GET', '/v1/jobs/j/preview?limit=1')).json
    expect(stopped).toMatchObject({ starts: 'nobody', slots: [{ starts_at: null, reason: 'paused' }] })
    await w.ask('POST', '/v1/sessions/s', { description: '', schedule: hourly })
    await w.ask('PUT', '/v1/sessions/s/jobs/j')
    expect((await w.ask('GET', '/v1/jobs/j/preview')).json).toMatchObject({ starts: 'session', slots: [] })
    await w.ask('POST', '/v1/jobs/e', { ...smallJob('elsewhere'), job_schedule: hourly })
    expect((await w.ask('GET', '/v1/jobs/e/preview')).json).toMatchObject({ starts: 'elsewhere', slots: [] })
  })

  it.each([
    'from=soon',
    'to=2027-01-15',
    'limit=0',
    'limit=201',
    'from=2027-02-01T00:00:00Z&to=2027-01-01T00:00:00Z',
  ])('refuses %s', async (query) => {
    const api = await startApi()
    await api.enrolled('n1')
    await api.ask('POST', '/v1/jobs/j', { ...smallJob('n1'), job_schedule: hourly })
    const answer = await api.ask('GET', `/v1/jobs/j/preview?${query}`)
    expect(answer.status).toBe(400)
  })
})
