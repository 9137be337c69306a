/** Something that stands in an order, and knows where. */
export interface Placed {
  row?: Row<Placed> | undefined
}

interface Row<I> {
  readonly items: I[]
}

/** So many stand in a row: counting past a million of them takes some thousand steps, taking one out moves no more than these. */
const rowLength = 256

/** Items in the order in which they came, of which any may go. A page is found by counting whole rows, not their items. */
export class Order<I extends Placed> {
  #rows: Row<I>[] = []

  add(item: I): void {
    let last = this.#rows.at(-1)
    if (!last || last.items.length >= rowLength) this.#rows.push((last = { items: [] }))
    last.items.push(item)
    item.row = last as unknown as Row<Placed>
  }

  delete(item: I): void {
    const row = item.row as unknown as Row<I> | undefined
    if (!row) return
    row.items.splice(row.items.indexOf(item), 1)
    item.row = undefined
    // Those who are going through the rows keep the list that they began with.
    if (row.items.length === 0) this.#rows = this.#rows.filter((other) => other !== row)
  }

  /** Beginning with the item of this number. Items may come and go meanwhile: one that has gone is not met any more. */
  *from(number: number): IterableIterator<I> {
    let passed = 0
    for (const { items } of this.#rows) {
      if (passed + items.length <= number) {
        passed += items.length
        continue
      }
      for (const item of items.slice(Math.max(0, number - passed))) if (item.row) yield item
      passed = number
    }
  }
}
