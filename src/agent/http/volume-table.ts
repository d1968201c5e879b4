import {formatAge} from '../../model/format-age.ts';
import {formatBytes} from '../../model/byte-size.ts';
import type {VolumeHealth} from '../../node/volumes/list-volumes.ts';
import {toPodName} from '../../node/call-log.ts';
import {toTransportName, toVolumeName} from '../../node/volumes/volume-problems.ts';
import {html, type Html, type HtmlValue} from './html.ts';
import type {StatusDocument, StatusVolume} from './status-document.ts';

/** A word, a colour and a symbol: for those who do not see the colour, and for paper. */
export const healthSymbols: Readonly<Record<VolumeHealth, string>> = {
	healthy: '✓',
	failing: '!',
	changing: '↻',
	hanging: '…',
	dead: '✗',
	unmounted: '○',
	gone: '–',
};

export const renderHealth = (health: VolumeHealth): Html =>
	html`<span class="health ${health}"><span aria-hidden="true">${healthSymbols[health]}</span> ${health}</span>`;

const columns = ['Volume', 'Health', 'Throughput', 'Cache', 'Backlog', 'Daemon'] as const;

/** More pods than these are folded. */
const podsShownMax = 5;

/**
The table of volumes; below the numbers of each are its pods, whose paths are long, and what to do about it. On a
narrow screen its rows become cards, which takes the table's own roles away from its elements; so they are spelled
out.
*/
export const renderVolumes = ({volumes, reportedAtMs, atMs}: StatusDocument): HtmlValue => {
	if (volumes.length === 0) {
		return html`<p class="none">${reportedAtMs === undefined ? 'Not known yet: the watch on the node has not reported.' : 'Nothing is mounted on this node.'}</p>`;
	}

	return html`<table role="table" aria-labelledby="volumes">
<thead role="rowgroup"><tr role="row">${columns.map(column => html`<th scope="col" role="columnheader">${column}</th>`)}</tr></thead>
${volumes.map(volume => renderVolume(volume, atMs))}
</table>`;
};

const renderVolume = (
	volume: StatusVolume,
	nowMs: number,
): Html => html`<tbody role="rowgroup" class="${volume.health}">
<tr role="row">
<th scope="row" role="rowheader"><span class="name">${toVolumeName(volume)}</span><span class="id">${volume.volumeId}</span></th>
${cells(volume).map((cell, index) => html`<td role="cell" data-label="${columns[index + 1]}"><div>${cell}</div></td>`)}
</tr>
<tr role="row" class="below"><td role="cell" colspan="${columns.length}">${renderPods(volume)}</td></tr>
${adviceOf(volume, nowMs).map(text => html`<tr role="row" class="below advice"><td role="cell" colspan="${columns.length}">${text}</td></tr>`)}
</tbody>
`;

const cells = (volume: StatusVolume): HtmlValue[] => [
	renderHealth(volume.health),
	renderThroughput(volume),
	renderCache(volume),
	renderBacklog(volume),
	renderDaemon(volume),
];

/** As sentences: the problems of a volume follow its name on the command line. */
const adviceOf = ({problems, nextAttemptAtMs}: StatusVolume, nowMs: number): string[] => [
	...problems.map(problem => `${problem.slice(0, 1).toUpperCase()}${problem.slice(1)}`),
	...(nextAttemptAtMs === undefined
		? []
		: [
				`The daemon ended again and again; it is started again in ${formatAge(Math.max(0, nextAttemptAtMs - nowMs) / 1000)}.`,
			]),
];

const renderPods = ({directories}: StatusVolume): HtmlValue => {
	if (directories.length === 0) {
		return html`<span class="unknown">No pods</span>`;
	}

	const items = directories.map(directory => {
		const pod = toPodName(directory);
		return html`<li>${pod === undefined ? undefined : html`<span class="name">${pod}</span> `}${directory.isMounted ? undefined : html`<strong class="missing">not mounted</strong> `}<code>${directory.path}</code></li>`;
	});
	const list = html`<ul class="pods">${items}</ul>`;
	return items.length > podsShownMax
		? html`<details><summary>${items.length} pods${missingOf(directories)}</summary>${list}</details>`
		: list;
};

const missingOf = (directories: StatusVolume['directories']): string => {
	const count = directories.filter(({isMounted}) => !isMounted).length;
	return count === 0 ? '' : `, ${count} not mounted`;
};

const renderThroughput = ({figures}: StatusVolume): HtmlValue =>
	lines(
		rate('read', figures.readBytesPerSecond, figures.readsPerSecond, 'reads'),
		rate('written', figures.writtenBytesPerSecond, figures.writesPerSecond, 'writes'),
	);

const rate = (
	verb: string,
	bytesPerSecond: number | undefined,
	perSecond: number | undefined,
	noun: string,
): HtmlValue =>
	bytesPerSecond === undefined
		? undefined
		: html`${formatBytes(Math.round(bytesPerSecond))}/s ${verb}${perSecond === undefined ? undefined : html` <small>${formatCount(perSecond)} ${noun}/s</small>`}`;

/** Slow volumes have rates below one. */
const formatCount = (value: number): string =>
	value > 0 && value < 9.95 ? value.toFixed(1) : String(Math.round(value));

const renderCache = ({figures}: StatusVolume): HtmlValue =>
	lines(
		figures.cacheBytes === undefined ? undefined : formatBytes(figures.cacheBytes),
		figures.cacheHitShare === undefined
			? undefined
			: html`<small>${Math.floor(figures.cacheHitShare * 100)}% hits</small>`,
	);

const renderBacklog = ({figures, journalBytes}: StatusVolume): HtmlValue =>
	lines(
		figures.dirtyBytes === undefined ? undefined : `${formatBytes(figures.dirtyBytes)} dirty`,
		figures.uploadsPending === undefined || figures.uploadsPending === 0
			? undefined
			: html`<small>${figures.uploadsPending} ${figures.uploadsPending === 1 ? 'file' : 'files'}${figures.oldestUploadSeconds === undefined ? '' : `, oldest ${formatAge(figures.oldestUploadSeconds)}`}</small>`,
		journalBytes === 0 ? undefined : `${formatBytes(journalBytes)} in the journal`,
	);

const renderDaemon = ({daemon, daemonPid, launch, figures, restartCount}: StatusVolume): HtmlValue =>
	lines(
		[
			daemon?.version ?? launch?.version ?? [],
			launch?.way ?? [],
			toTransportName(daemon),
			daemonPid === undefined ? [] : `pid ${daemonPid}`,
		]
			.flat()
			.join(' · ') || undefined,
		html`<small>${figures.residentBytes === undefined ? undefined : `${formatBytes(figures.residentBytes)} memory, `}${restartCount} ${restartCount === 1 ? 'restart' : 'restarts'}</small>`,
	);

const lines = (...values: readonly HtmlValue[]): HtmlValue => {
	const known = values.filter(value => value !== undefined);
	return known.length === 0
		? html`<span class="unknown">unknown</span>`
		: known.map(value => html`<span class="line">${value}</span>`);
};
