/**
The style of the status page; light and dark as the reader's system is, cards on narrow screens, black and white on
paper.
*/
export const statusStyle = `
:root {
	color-scheme: light dark;
	--page: #f6f7f9; --panel: #fff; --text: #1b1f24; --dim: #59636e; --line: #d9dee4; --link: #0a58ca;
	--good: #116329; --warn: #8a4600; --bad: #b3121d; --idle: #59636e; --bad-panel: #fff1f0; --warn-panel: #fff7e8;
}
@media (prefers-color-scheme: dark) {
	:root {
		--page: #0f1317; --panel: #171c22; --text: #e6eaef; --dim: #9aa5b1; --line: #2c343d; --link: #7ab7ff;
		--good: #5fd184; --warn: #f2b45c; --bad: #ff8a80; --idle: #9aa5b1; --bad-panel: #2b1719; --warn-panel: #2a2114;
	}
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.25rem; max-width: 100rem; background: var(--page); color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.5rem; overflow-wrap: anywhere; }
h1 small { margin-left: .4rem; color: var(--dim); font-size: .9rem; font-weight: 400; }
h2 { margin: 2rem 0 .6rem; font-size: 1.05rem; }
p { margin: 0; }
a { color: var(--link); }
code { font: .8rem/1.35 ui-monospace, monospace; color: var(--dim); overflow-wrap: anywhere; }
small, .when, .none, .unknown, footer { color: var(--dim); font-size: .85rem; }
.summary { margin-top: .4rem; }
.count { margin-left: .9rem; white-space: nowrap; }
.name { font-weight: 600; overflow-wrap: anywhere; }
.health { white-space: nowrap; font-weight: 600; color: var(--idle); }
.health.healthy { color: var(--good); }
.health.failing { color: var(--warn); }
.health.hanging, .health.dead, .missing { color: var(--bad); }
.problems { margin-top: 1.25rem; padding: .9rem 1.1rem; border: 1px solid var(--bad); border-left-width: 5px; border-radius: 6px; background: var(--bad-panel); }
.problems h2 { margin: 0 0 .3rem; color: var(--bad); }
.problems ul { margin: 0; padding-left: 1.2rem; }
table { width: 100%; border-collapse: collapse; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; }
thead th { color: var(--dim); font-size: .8rem; font-weight: 600; white-space: nowrap; }
th, td { padding: .55rem .8rem; text-align: left; vertical-align: top; font-variant-numeric: tabular-nums; }
th[scope=row] { min-width: 9rem; font-weight: 400; }
tbody { border-top: 1px solid var(--line); }
.id { display: block; color: var(--dim); font: .75rem ui-monospace, monospace; }
.line { display: block; white-space: nowrap; }
.line small { margin-left: .25rem; }
.line > small:first-child { margin-left: 0; }
.pods { margin: 0; padding: 0; list-style: none; }
.pods .name { font-weight: 400; }
.pods li + li { margin-top: .2rem; }
.pods code { margin-left: .3rem; }
summary { cursor: pointer; }
details .pods { margin-top: .4rem; }
.below td { padding-top: 0; overflow-wrap: anywhere; }
.advice td { font-weight: 600; }
tbody.dead, tbody.hanging { background: var(--bad-panel); box-shadow: inset 5px 0 var(--bad); }
tbody.failing { background: var(--warn-panel); box-shadow: inset 5px 0 var(--warn); }
.notices { margin: 0; padding: 0; list-style: none; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; }
.notices li { padding: .6rem .9rem; overflow-wrap: anywhere; }
.notices li + li { border-top: 1px solid var(--line); }
.notices .warning strong { color: var(--warn); }
.pods-of { color: var(--dim); }
dl { margin: 0; padding: .4rem .9rem; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; }
dl div { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: .25rem 0; }
dt { flex: 0 0 11rem; color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 2rem; }
@media (max-width: 62rem) {
	body { padding: 1rem .8rem; }
	thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
	table, tbody, tr, th[scope=row], td { display: block; }
	tbody { padding: .6rem .3rem; }
	th, td { padding: .2rem .8rem; }
	td[data-label] { display: flex; gap: 0 .6rem; }
	td[data-label] > div { flex: 1; min-width: 0; }
	.pods code { display: block; margin: 0; }
	td[data-label]::before { content: attr(data-label); flex: 0 0 6.2rem; color: var(--dim); }
	.below td { padding-top: .3rem; }
	.line { white-space: normal; }
	.summary { display: flex; flex-wrap: wrap; gap: 0 .9rem; }
	.count { margin: 0; }
}
@media print {
	:root { --page: #fff; --panel: #fff; --text: #000; --dim: #000; --line: #888; --link: #000; --good: #000; --warn: #000; --bad: #000; --idle: #000; --bad-panel: #fff; --warn-panel: #fff; }
	body { padding: 0; font-size: 10pt; }
	tbody, .notices li { break-inside: avoid; }
	tbody.dead, tbody.hanging, tbody.failing { box-shadow: none; }
}
`;
