/** Names that trip up what splits at blanks, quotes badly, takes names for options, or takes them for UTF-8. */
export const oddNames: readonly Buffer[] = [
  ...[
    'with space',
    ' blank at both ends ',
    'new\nline',
    'tab\tand\rreturn',
    `quotes"'\`$(touch x)`,
    'back\\slash',
    '*?[a-z]{b}',
    '-rf',
    '--help',
    '~',
    '...',
    '.hidden',
    '\u001b[31mred\u0007',
    'grün 日本語 🚀',
    // The same to the eye, and different names: composed and decomposed.
    'caf\u00e9',
    'cafe\u0301',
    'n'.repeat(255),
  ].map((name) => Buffer.from(name)),
  // Latin-1, and bytes that are no text at all.
  Buffer.from('caf\u00e9 latin', 'latin1'),
  Buffer.from([0xff, 0xfe, 0x41, 0x80]),
]
