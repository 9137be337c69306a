import { Html } from './html.ts'

/** The look of the reference page, by day and by night. */
export const style = new Html(`
:root { color-scheme: light dark; --line: light-dark(#d8dde3, #3a4048); --soft: light-dark(#f5f7f9, #1d2125);
  --quiet: light-dark(#59636e, #9aa4af); --link: light-dark(#0b57a4, #7ab8ff) }
* { box-sizing: border-box }
html { scroll-padding-top: 1rem }
body { margin: 0; display: flex; font: 15px/1.5 system-ui, sans-serif; background: light-dark(#fff, #15181b);
  color: light-dark(#1c2126, #dde3e9) }
a { color: var(--link); text-decoration: none }
a:hover { text-decoration: underline }
nav { flex: 0 0 19rem; height: 100vh; position: sticky; top: 0; overflow-y: auto; padding: 1rem;
  border-right: 1px solid var(--line); font-size: 13px }
nav h2 { font-size: 13px; margin: 1rem 0 .2rem }
nav ul { list-style: none; margin: 0; padding: 0 }
nav li { padding: .1rem 0 }
main { flex: 1; min-width: 0; max-width: 64rem; padding: 1rem 2rem 6rem }
h1 { font-size: 1.7rem }
main h2 { margin-top: 3rem; border-bottom: 1px solid var(--line) }
h3 { margin: 0 }
h4 { margin: 1rem 0 .3rem }
section { margin: 1.2rem 0; padding: 1rem 1.2rem; border: 1px solid var(--line); border-radius: 8px; overflow-x: auto }
section:target, tr:target { outline: 2px solid var(--link) }
p { margin: .4rem 0 }
code { font: 13px ui-monospace, monospace; background: var(--soft); padding: 0 .25em; border-radius: 3px }
.call b { display: inline-block; min-width: 4em; font: 700 12px ui-monospace, monospace; color: var(--quiet) }
.call .get { color: light-dark(#1a7f37, #5fd07f) }
.call .post { color: light-dark(#0b57a4, #7ab8ff) }
.call .delete { color: light-dark(#b42318, #ff8f85) }
table { border-collapse: collapse; width: 100%; font-size: 14px }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line) }
th { font-size: 12px; color: var(--quiet); font-weight: 600 }
.type { color: var(--quiet); overflow-wrap: break-word }
td.type { min-width: 6.5em }
small { color: var(--quiet); overflow-wrap: anywhere }
@media (max-width: 50rem) { body { display: block } nav { height: auto; position: static; border: 0 } main { padding: 1rem } }
`)
