import {formatAge} from '../model/format-age.ts';
import type {VolumeReport} from '../node/volumes/list-volumes.ts';
import type {VolumeStatistics} from '../node/volumes/volume-statistics.ts';
import {describeVolumeProblems, toTransportName, toVolumeName} from '../node/volumes/volume-problems.ts';

export type StatusRow = {readonly volume: VolumeReport; readonly figures: VolumeStatistics};

const columns = ['VOLUME', 'PODS', 'HEALTH', 'READ/S', 'WRITE/S', 'CACHE', 'DIRTY', 'FILES', 'AGE', 'DAEMON'] as const;

/** The columns of names, which may be cut; numbers never are. */
const nameColumnCount = 2;
const nameWidthMin = 8;
const gap = '  ';

/**
One line for each pod or directory that shows a volume, then what is wrong and what to do. Names are cut to fit into
`widthMax` (a terminal's width), as far as that goes.
*/
export const formatStatus = (
	rows: readonly StatusRow[],
	{stateDirectory, widthMax = Number.POSITIVE_INFINITY}: {stateDirectory: string; widthMax?: number},
): string => {
	if (rows.length === 0) {
		return `Nothing is mounted on this node (state directory ${stateDirectory}).\n`;
	}

	const lines: Array<readonly string[]> = [columns];
	for (const {volume, figures} of rows) {
		const places = volume.directories.length === 0 ? ['-'] : volume.directories.map(directory => toPlace(directory));
		for (const [index, place] of places.entries()) {
			// A volume's own numbers stand in its first line only.
			lines.push(index === 0 ? [printable(toVolumeName(volume)), place, ...toNumbers(volume, figures)] : ['', place]);
		}
	}

	const remarks = rows.flatMap(({volume}) =>
		describeVolumeProblems(volume).map(problem => printable(`${toVolumeName(volume)}: ${problem}`)),
	);
	return `${[...alignColumns(lines, widthMax), ...remarks].join('\n')}\n`;
};

/** The pod, or the directory where there is none: of the kubelet's long paths the pod is what people know. */
const toPlace = ({path, namespace, name, isMounted}: VolumeReport['directories'][number]): string =>
	printable(`${name === undefined ? path : `${namespace ?? '?'}/${name}`}${isMounted ? '' : ' (not mounted)'}`);

const toNumbers = ({health, daemon, daemonPid, launch}: VolumeReport, figures: VolumeStatistics): string[] => [
	health,
	shortBytes(figures.readBytesPerSecond, '-'),
	shortBytes(figures.writtenBytesPerSecond, '-'),
	figures.cacheBytes === undefined
		? '-'
		: `${shortBytes(figures.cacheBytes, '-')}${figures.cacheHitShare === undefined ? '' : ` ${Math.floor(figures.cacheHitShare * 100)}%`}`,
	shortBytes(figures.dirtyBytes, '?'),
	figures.uploadsPending === undefined ? '?' : String(figures.uploadsPending),
	figures.oldestUploadSeconds === undefined ? '-' : formatAge(figures.oldestUploadSeconds),
	[daemonPid ?? '-', daemon?.version ?? launch?.version ?? [], launch?.way ?? [], toTransportName(daemon)]
		.flat()
		.join(' '),
];

const units = ['', 'K', 'M', 'G', 'T', 'P'] as const;

/** A size in at most five characters, in powers of 1024, as df -h has it: `0`, `512`, `1.5K`, `12M`. */
const shortBytes = (bytes: number | undefined, unknown: string): string => {
	if (bytes === undefined) {
		return unknown;
	}

	let value = Math.round(bytes);
	let index = 0;
	while (value >= 1023.5 && index < units.length - 1) {
		value /= 1024;
		index++;
	}

	return `${index > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)}${units[index]}`;
};

const alignColumns = (lines: ReadonlyArray<readonly string[]>, widthMax: number): string[] => {
	const widths = columns.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0)));
	let excess = widths.reduce((total, width) => total + width + gap.length, -gap.length) - widthMax;
	while (excess > 0) {
		// The widest name is cut first.
		const widest = widths.indexOf(Math.max(...widths.slice(0, nameColumnCount)));
		if ((widths[widest] ?? 0) <= nameWidthMin || widest >= nameColumnCount) {
			break;
		}

		widths[widest]!--; // It is one of the first columns, which are there.
		excess--;
	}

	return lines.map(line =>
		line
			.map((cell, column) => cut(cell, widths[column] ?? 0).padEnd(widths[column] ?? 0))
			.join(gap)
			.trimEnd(),
	);
};

/** The end of a name tells pods and directories apart, its start says whose they are. */
const cut = (text: string, width: number): string => {
	if (text.length <= width) {
		return text;
	}

	const head = Math.floor((width - 1) / 2);
	return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`;
};

/** Names from outside must not move the cursor or colour the screen. */
const printable = (text: string): string => text.replaceAll(/[\0-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069]/g, '?');
