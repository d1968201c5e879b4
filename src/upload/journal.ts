import fs from 'node:fs/promises';
import path from 'node:path';
import {crc32} from 'node:zlib';
import type {Metadata, ObjectHead} from '../store/object-store.ts';
import type {LayerState} from './layer-state.ts';
import {syncDirectory} from './sync-directory.ts';

/**
The journal: one record for a sealed layer, `<id>.json` beside its bytes in `<id>.data` (absent when it has none of
its own). Layers that wait for their upload are merged: then the record of the lower one names the upper one, whose own
record and bytes are removed after that.

A record is one line of JSON and the CRC-32 of that line in hexadecimal on a second line. It is written under a
temporary name, flushed, and renamed; a record that does not match its checksum was never acknowledged. Ids sort in the
order in which layers were sealed. A record is removed when S3 has the bytes.
*/
export type JournalRecord = {
	readonly format: 2;
	readonly id: string;
	readonly key: string;
	/** The object that the layer lies on; `previous` when it lies on the layer of the same key that was sealed before. */
	readonly base: ObjectHead | 'previous' | undefined;
	readonly metadata: Metadata;
	readonly contentType: string | undefined;
	readonly layer: LayerState;
	readonly sealedAtMs: number;
	/** The newest layer that was merged into this one: records of the same key up to that one say nothing new. */
	readonly mergedId?: string | undefined;
	/** The write id of the layer from before that. */
	readonly writeHash?: string | undefined;
	/** The run of the kernel that wrote it; absent from records of format 1. */
	readonly bootId?: string | undefined;
	/** Whether record and bytes were on stable storage: they are whole then, also after a loss of power. */
	readonly isDurable?: boolean | undefined;
};

/**
Makes a record durable (with `isDurable`: against a loss of power, otherwise only against the death of the process).
*/
export const writeJournalRecord = async (directory: string, record: JournalRecord): Promise<void> => {
	const line = JSON.stringify(record);
	const name = path.join(directory, `${record.id}.json`);
	const temporary = `${name}.tmp`;
	try {
		const file = await fs.open(temporary, 'w', 0o600);
		try {
			await file.writeFile(`${line}\n${checksumOf(line)}\n`);
			if (record.isDurable === true) {
				await file.datasync();
			}
		} finally {
			await file.close();
		}

		await fs.rename(temporary, name);
	} catch (error) {
		// A full disk: half a record is of no use.
		await fs.rm(temporary, {force: true});
		throw error;
	}

	if (record.isDurable === true) {
		await syncDirectory(directory);
	}
};

/** Removes a record for good: not even a loss of power brings it back, to be uploaded over something newer. */
export const removeJournalRecord = async (directory: string, id: string): Promise<void> => {
	try {
		await fs.unlink(path.join(directory, `${id}.json`));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
			return;
		}

		throw error;
	}

	await syncDirectory(directory);
};

/** The records of an earlier run in the order in which they were sealed, and what is no record of ours. */
export const readJournal = async (directory: string): Promise<{records: JournalRecord[]; damaged: string[]}> => {
	const records: JournalRecord[] = [];
	const damaged: string[] = [];
	const names = await fs.readdir(directory);
	for (const name of names.filter(candidate => candidate.endsWith('.json')).toSorted()) {
		const record = parseJournalRecord(await fs.readFile(path.join(directory, name), 'utf8'));
		const needsBytes = record?.layer.extents.some(extent => extent.source.kind === 'local') ?? false;
		if (record === undefined || `${record.id}.json` !== name || (needsBytes && !names.includes(`${record.id}.data`))) {
			damaged.push(name);
		} else {
			records.push(record);
		}
	}

	return {records, damaged};
};

const parseJournalRecord = (text: string): JournalRecord | undefined => {
	const [line, checksum] = text.split('\n');
	if (line === undefined || checksum !== checksumOf(line)) {
		return undefined;
	}

	const record = JSON.parse(line) as JournalRecord | FirstRecord; // Its checksum says that we wrote it.
	return record.format === 2 ? record : record.format === 1 ? fromFirst(record) : undefined;
};

/** As of version 0.1: local bytes are at their offset in the file, less what the layer was displaced by. */
type FirstRecord = Omit<JournalRecord, 'format' | 'layer'> & {
	readonly format: 1;
	readonly layer: LayerState & {readonly displacementBytes: number};
};

const fromFirst = ({layer: {displacementBytes, ...layer}, ...record}: FirstRecord): JournalRecord => ({
	...record,
	format: 2,
	layer: {
		...layer,
		extents: layer.extents.map(({start, end, source}) => ({
			start,
			end,
			source: source.kind === 'local' ? {kind: 'local', position: start - displacementBytes} : source,
		})),
	},
});

const checksumOf = (line: string): string => crc32(line).toString(16).padStart(8, '0');
