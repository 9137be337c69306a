/** An instant, for people. */
export const iso = (at: number | undefined): string =>
  at === undefined ? 'none' : new Date(at).toISOString().slice(5, 23)
