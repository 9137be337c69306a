import { Fault, badField } from '../../core/fault.ts'
import { operationsMax, type RawTransaction, type Ref } from './backend.ts'

/** How a document is called in messages: "job p1/j1". */
export const label = ({ kind, project, id }: Ref): string => `${kind} ${project}/${id}`

/** Whether two refs name the same document: equal texts. */
export const nameOf = ({ kind, project, id }: Ref): string => `${kind}\0${project}\0${id}`

/**
 * What every backend refuses alike, before it sends anything. Throws Fault 'too_much' above `operationsMax`, 'bad_request'
 * when a document is written or required twice, when its name is no Unicode text, or when something else than a server would
 * live only while its process does.
 */
export function checkTransaction({ requires, writes }: RawTransaction): void {
  const count = requires.length + writes.length
  if (count > operationsMax)
    throw new Fault('too_much', `${count} operations in one transaction; at most ${operationsMax} fit`)
  for (const list of [requires, writes]) {
    const names = new Set(list.map(nameOf))
    if (![...names].every((name) => name.isWellFormed()))
      throw badField('writes', 'a name is no Unicode text')
    if (names.size !== list.length) throw badField('writes', 'names one document twice')
  }
  const passing = writes.find(({ kind, whileAlive }) => whileAlive && kind !== 'server')
  if (passing) throw badField('writes', `${label(passing)} cannot end with its process`)
}
