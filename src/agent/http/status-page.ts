import {createHash} from 'node:crypto';
import {formatAge} from '../../model/format-age.ts';
import type {Notice} from '../../healing/watch-message.ts';
import {toPodName} from '../../node/call-log.ts';
import {Html, html, type HtmlValue} from './html.ts';
import type {Answer} from './plain-server.ts';
import {countHealth, type StatusDocument} from './status-document.ts';
import {statusStyle} from './status-style.ts';
import {healthSymbols, renderHealth, renderVolumes} from './volume-table.ts';

const refreshSeconds = 5;

/** The style is allowed by its hash: nothing else on the page can bring one, and no script at all can run. */
const contentSecurityPolicy = [
	"default-src 'none'",
	`style-src 'sha256-${createHash('sha256').update(statusStyle).digest('base64')}'`,
	'img-src data:',
	"frame-ancestors 'none'",
	"base-uri 'none'",
	"form-action 'none'",
].join('; ');

/** The status page: plain HTML that refreshes itself, for a browser without scripts as well as for a printer. */
export const renderStatusPage = (document: StatusDocument): Answer => ({
	status: 200,
	contentType: 'text/html; charset=utf-8',
	headers: {'Content-Security-Policy': contentSecurityPolicy},
	body: html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${titleOf(document)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="${refreshSeconds}">
<link rel="icon" href="data:,">
<style>${new Html(statusStyle)}</style>
</head>
<body>
<header>
<h1>${document.nodeName === '' ? 'This node' : document.nodeName} <small>pnx-volume ${document.version}</small></h1>
<p class="summary">${summaryOf(document)}</p>
</header>
<main>
${renderProblems(document.problems)}
<section aria-labelledby="volumes">
<h2 id="volumes">Volumes</h2>
${renderVolumes(document)}
</section>
<section aria-labelledby="notices">
<h2 id="notices">Notices</h2>
${renderNotices(document)}
</section>
<section aria-labelledby="agent">
<h2 id="agent">Agent</h2>
${renderAgent(document)}
</section>
</main>
<footer><p>As of ${renderTime(document.atMs)}; refreshes every ${refreshSeconds} seconds. The same for programs: <a href="status.json">status.json</a></p></footer>
</body>
</html>
`.text,
});

/** In a row of tabs the worst comes first. */
const titleOf = ({volumes, problems, nodeName}: StatusDocument): string => {
	const [worst] = countHealth(volumes);
	const state =
		problems.length > 0 && (worst === undefined || worst.health === 'healthy')
			? '! agent not ready'
			: worst === undefined
				? 'No volumes'
				: `${healthSymbols[worst.health]} ${worst.health}${worst.health === 'healthy' ? '' : ` (${worst.count} of ${volumes.length})`}`;
	return [state, ...(nodeName === '' ? [] : [nodeName]), 'pnx-volume'].join(' · ');
};

const summaryOf = ({volumes}: StatusDocument): HtmlValue =>
	volumes.length === 0
		? 'No volumes'
		: [
				html`${volumes.length} ${volumes.length === 1 ? 'volume' : 'volumes'}`,
				...countHealth(volumes).map(
					({health, count}) => html` <span class="count">${count} ${renderHealth(health)}</span>`,
				),
			];

const renderProblems = (problems: readonly string[]): HtmlValue =>
	problems.length === 0
		? undefined
		: html`<section class="problems" aria-labelledby="problems">
<h2 id="problems">The agent is not ready</h2>
<ul>${problems.map(problem => html`<li>${problem}</li>`)}</ul>
</section>`;

const renderNotices = ({notices, atMs}: StatusDocument): HtmlValue =>
	notices.length === 0
		? html`<p class="none">Nothing has happened since the agent started.</p>`
		: html`<ol class="notices">${notices.map(notice => renderNotice(notice, atMs))}</ol>`;

const renderNotice = ({atMs, type, reason, message, bucket, pods}: Notice, nowMs: number): Html => {
	const names = pods.map(pod => toPodName(pod)).filter(name => name !== undefined);
	return html`<li class="${type === 'Warning' ? 'warning' : 'normal'}">
<p class="when">${renderTime(atMs)} <span>(${formatAge((nowMs - atMs) / 1000)} ago)</span></p>
<p><strong>${type === 'Warning' ? '! ' : ''}${reason}</strong> <span class="name">${bucket}</span>${names.length === 0 ? undefined : html` <span class="pods-of">for ${names.join(', ')}</span>`}</p>
<p>${message}</p>
</li>`;
};

const renderAgent = ({version, atMs, startedAtMs, reportedAtMs, installation}: StatusDocument): Html => {
	const facts: ReadonlyArray<readonly [string, HtmlValue]> = [
		['Version', version],
		['Started', html`${renderTime(startedAtMs)} (${formatAge((atMs - startedAtMs) / 1000)} ago)`],
		[
			'Volumes looked at',
			reportedAtMs === undefined
				? 'not yet'
				: html`${renderTime(reportedAtMs)} (${formatAge((atMs - reportedAtMs) / 1000)} ago)`,
		],
		...(installation === undefined
			? ([['Installation', 'none yet']] as const)
			: ([
					[
						'Driver',
						html`<code>${installation.pluginDirectory}</code> (${sourceWords[installation.pluginDirectorySource]})`,
					],
					['Runtime', html`<code>${installation.runtimeDirectory}</code>`],
					['Versions on the node', installation.versions.join(', ')],
				] as const)),
	];
	return html`<dl>${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
};

const sourceWords = {option: 'as an option says', kubelet: 'as the kubelet says', default: 'the default'} as const;

const renderTime = (atMs: number): Html => {
	const iso = new Date(atMs).toISOString();
	return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`;
};
