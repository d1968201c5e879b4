import fs from 'node:fs/promises';
import path from 'node:path';
import {createDeadline} from '../../src/node/deadline.ts';
import {askToEnd} from '../../src/node/launch/control-client.ts';
import {listVolumeIds, volumePaths} from '../../src/node/volumes/volume-directory.ts';
import type {Place, Subject} from './subject.ts';

const root = path.resolve(import.meta.dirname, '../..');
const stateDirectory = ({work}: Pick<Place, 'work'>): string => path.join(work, 'state');

/** This checkout, as `npm run build` left it, with options beside the defaults. */
const createSubject = (
	name: string,
	{options, ...rest}: Pick<Subject, 'waitsForS3' | 'roles'> & {options: readonly string[]},
): Subject => ({
	...rest,
	name,
	isPeer: false,
	endsOnSigterm: true,
	command: place => ({
		file: process.execPath,
		args: [
			path.join(root, 'dist/bin/pnx-volume.js'),
			'mount',
			place.bucket,
			place.directory,
			'--endpoint',
			place.endpoint.url,
			'--region',
			place.endpoint.region,
			'--path-style',
			...options,
		],
		env: {
			HOME: place.work,
			AWS_ACCESS_KEY_ID: place.endpoint.accessKeyId,
			AWS_SECRET_ACCESS_KEY: place.endpoint.secretAccessKey,
			PNX_VOLUME_STATE_DIR: stateDirectory(place),
			PNX_VOLUME_RUN_DIR: path.join(place.work, 'run'),
			PNX_VOLUME_LOG: path.join(place.work, 'log'),
		},
	}),
	async settle(place, timeoutMs) {
		for (const volumeId of listVolumeIds(stateDirectory(place))) {
			const {socket} = volumePaths(stateDirectory(place), volumeId);
			const ended = await askToEnd(socket, 'drain', createDeadline(timeoutMs));
			if (ended.outcome !== 'done') {
				throw new Error(`${name} did not upload everything: ${JSON.stringify(ended)}`);
			}
		}
	},
	async version() {
		const {version} = JSON.parse(await fs.readFile(path.join(root, 'package.json'), 'utf8')) as {version: string};
		await fs.access(path.join(root, 'dist/bin/pnx-volume.js'));
		return `pnx-volume ${version}`;
	},
});

export const pnxVolume = createSubject('pnx-volume', {
	options: [],
	waitsForS3: true,
	roles: ['writes', 'reads', 'lists'],
});

export const pnxVolumeJournal = createSubject('pnx-volume journal', {
	options: ['--durability', 'journal'],
	waitsForS3: false,
	roles: ['writes'],
});

export const pnxVolumeUniform = createSubject('pnx-volume uniform', {
	options: ['--attributes', 'uniform'],
	waitsForS3: true,
	roles: ['lists'],
});
