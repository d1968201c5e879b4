import {existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {DaemonRequest} from '../../../src/node/launch/daemon-protocol.ts';
import {temporarySibling} from '../../../src/node/host/durable-file.ts';
import {
	listLaunchRecords,
	readLaunchRecord,
	removeLaunchRecord,
	writeLaunchRecord,
} from '../../../src/node/launch/launch-record.ts';
import {testThatNeeds} from '../../support/needs.ts';

const request: DaemonRequest = {
	volumeId: '0123456789abcdef',
	options: {name: 'bucket-1'},
	credentials: {accessKeyId: 'key', secretAccessKey: 'very-secret'},
	fsGroup: 1234,
	mountPoint: '/state/volumes/0123456789abcdef/mount',
	volumeDirectory: '/state/volumes/0123456789abcdef',
};
const variables = {
	AWS_REGION: 'eu-west-1',
	AWS_SECRET_ACCESS_KEY: 'other-secret',
	HTTPS_PROXY: 'http://user:proxy-secret@proxy',
};

const runDirectory = (t: ExecutionContext, parent: string): string => {
	const directory = mkdtempSync(join(parent, 'pnx-record-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
};

const recordIn = (directory: string): string => join(directory, 'launch', '0123456789abcdef.json');

const {test: testInMemory} = testThatNeeds({
	what: '/dev/shm',
	missing: existsSync('/dev/shm') ? undefined : 'this machine has no tmpfs at /dev/shm',
});

testInMemory('in memory a record keeps all that a daemon was given, for root alone', t => {
	const directory = runDirectory(t, '/dev/shm');
	writeLaunchRecord(directory, request, variables);
	const record = readLaunchRecord(directory, request.volumeId)!;
	t.is(record.credentials, 'kept');
	t.deepEqual(record.request, request);
	t.deepEqual(record.variables, variables);
	t.is(statSync(recordIn(directory)).mode & 0o777, 0o600);
	t.is(statSync(join(directory, 'launch')).mode & 0o777, 0o700);
	removeLaunchRecord(directory, request.volumeId);
	t.is(readLaunchRecord(directory, request.volumeId), undefined);
});

test('on a disk no secret is written, and the record says that it lacks them', t => {
	// The working directory is on a disk wherever these tests run.
	const directory = runDirectory(t, import.meta.dirname);
	writeLaunchRecord(directory, request, variables);
	const record = readLaunchRecord(directory, request.volumeId)!;
	t.is(record.credentials, 'missing');
	t.deepEqual(record.variables, {AWS_REGION: 'eu-west-1'});
	t.is(record.request.fsGroup, 1234);
	t.notRegex(readFileSync(recordIn(directory), 'utf8'), /secret"|very-secret|other-secret|proxy-secret/);

	const {credentials: _, ...plain} = request;
	writeLaunchRecord(directory, plain, {AWS_REGION: 'eu-west-1'});
	t.is(readLaunchRecord(directory, request.volumeId)?.credentials, 'not needed');
});

test('a record of another boot, of another volume, or cut short counts for nothing', t => {
	const directory = runDirectory(t, import.meta.dirname);
	writeLaunchRecord(directory, request, {});
	const text = readFileSync(recordIn(directory), 'utf8');
	for (const wrong of [
		text.replace(/"bootId":"[^"]*"/, '"bootId":"another"'),
		text.replace('"volumeId":"0123456789abcdef"', '"volumeId":"f"'),
		text.slice(0, 40),
	]) {
		writeFileSync(recordIn(directory), wrong);
		t.is(readLaunchRecord(directory, request.volumeId), undefined);
	}
});

test('what a call that was killed while it wrote a record has left is listed, and removed with the record', t => {
	const directory = runDirectory(t, import.meta.dirname);
	writeLaunchRecord(directory, request, {});
	const leftOver = temporarySibling(recordIn(directory));
	writeFileSync(leftOver, 'half a record');
	t.deepEqual(listLaunchRecords(directory), [request.volumeId]);
	removeLaunchRecord(directory, request.volumeId);
	t.false(existsSync(leftOver));
	t.deepEqual(listLaunchRecords(directory), []);
	writeFileSync(leftOver, 'half a record');
	t.deepEqual(listLaunchRecords(directory), [request.volumeId], 'Also without a record');
});

test('a run directory that cannot be made is no reason to fail, and leaves no record', t => {
	t.notThrows(() => writeLaunchRecord('/proc/no-such-directory', request, {}));
	t.is(readLaunchRecord('/proc/no-such-directory', request.volumeId), undefined);
});
