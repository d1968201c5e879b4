import test, {type ExecutionContext} from 'ava';
import {EventPoster, type EventPosterOptions} from '../../../src/agent/kubernetes/event-poster.ts';
import {createKubernetesClient} from '../../../src/agent/kubernetes/kubernetes-client.ts';
import {createDeadline, waitUntil} from '../../../src/node/deadline.ts';
import type {Notice} from '../../../src/healing/watch-message.ts';
import {startApiServer, type ApiServer} from '../support/api-server.ts';

const notice: Notice = {
	atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
	type: 'Warning',
	reason: 'VolumeDaemonDied',
	message: 'The daemon of the volume died',
	volumeId: '0123456789abcdef',
	bucket: 'bucket-1',
	pods: [
		{
			path: '/var/lib/kubelet/pods/uid-1/volumes/pnx~volume/v',
			uid: 'uid-1',
			name: 'drupal-1',
			namespace: 'web',
			volumeName: 'v',
		},
	],
};

type Poster = {readonly api: ApiServer; readonly poster: EventPoster; readonly lines: unknown[]};

const startPoster = async (t: ExecutionContext, options: Partial<EventPosterOptions> = {}): Promise<Poster> => {
	const api = await startApiServer(t);
	const lines: unknown[] = [];
	const poster = new EventPoster({
		client: createKubernetesClient(api.access),
		nodeName: 'node-1',
		log: {warn: (fields: unknown) => lines.push(fields)} as never,
		...options,
	});
	t.teardown(async () => poster.close());
	return {api, poster, lines};
};

const until = async (t: ExecutionContext, condition: () => boolean): Promise<void> => {
	t.true(await waitUntil(condition, createDeadline(300_000)));
};

test('a notice becomes an Event on each of its pods, as the API server wants it', async t => {
	const {api, poster} = await startPoster(t);
	poster.post({
		...notice,
		pods: [
			...notice.pods,
			{path: '/x', uid: 'uid-2', name: 'drupal-2', namespace: 'web'},
			{path: '/y', name: 'cron', namespace: 'jobs'},
			{path: '/by/hand'},
		],
	});
	await until(t, () => api.events.size === 3);
	const events = [...api.events.values()];
	t.deepEqual(
		events.map(({involvedObject}) => involvedObject),
		[
			{apiVersion: 'v1', kind: 'Pod', namespace: 'web', name: 'drupal-1', uid: 'uid-1'},
			{apiVersion: 'v1', kind: 'Pod', namespace: 'web', name: 'drupal-2', uid: 'uid-2'},
			{apiVersion: 'v1', kind: 'Pod', namespace: 'jobs', name: 'cron'},
		],
	);
	t.like(events[0], {
		type: 'Warning',
		reason: 'VolumeDaemonDied',
		message: notice.message,
		count: 1,
		firstTimestamp: '2026-01-02T03:04:05Z',
		lastTimestamp: '2026-01-02T03:04:05Z',
		source: {component: 'pnx-volume', host: 'node-1'},
	});
});

test('a notice without a pod becomes an Event on the node, where kubectl describe looks for it', async t => {
	const {api, poster} = await startPoster(t);
	poster.post({...notice, pods: []});
	await until(t, () => api.events.size === 1);
	t.like([...api.events.values()][0], {
		metadata: {namespace: 'default'},
		involvedObject: {kind: 'Node', name: 'node-1', uid: 'node-1'},
	});
});

test('a repeated notice raises the count of its Event, and starts a new Event after a while', async t => {
	const {api, poster} = await startPoster(t, {sameEventMs: 1000});
	poster.post(notice);
	await until(t, () => api.events.size === 1);
	poster.post({...notice, atMs: notice.atMs + 400});
	poster.post({...notice, atMs: notice.atMs + 900});
	await until(t, () => [...api.events.values()][0]?.count === 3);
	t.like([...api.events.values()][0], {firstTimestamp: '2026-01-02T03:04:05Z', lastTimestamp: '2026-01-02T03:04:06Z'});
	t.is(api.events.size, 1);
	poster.post({...notice, atMs: notice.atMs + 60_000});
	poster.post({...notice, message: 'Something else', atMs: notice.atMs + 60_000});
	await until(t, () => api.events.size === 3);
});

test('an Event that the API server has forgotten is made anew', async t => {
	const {api, poster, lines} = await startPoster(t);
	poster.post(notice);
	await until(t, () => api.events.size === 1);
	api.events.clear();
	poster.post(notice);
	await until(t, () => [...api.events.values()][0]?.count === 2);
	t.is(api.calls.filter(({method}) => method === 'POST').length, 2);
	t.deepEqual(lines, []);
});

test('an API server that is away for a moment gets the Events when it is back', async t => {
	const {api, poster, lines} = await startPoster(t);
	api.failure = 503;
	poster.post(notice);
	poster.post({...notice, reason: 'VolumeHealed', type: 'Normal'});
	await until(t, () => api.calls.length > 0);
	api.failure = undefined;
	await until(t, () => api.events.size === 2);
	t.deepEqual(lines, []);
});

test('what the API server refuses is logged once and given up; other Events go on', async t => {
	const {api, poster, lines} = await startPoster(t);
	poster.post({...notice, pods: [{path: '/x', name: 'Not_A_Name', namespace: 'web'}, ...notice.pods]});
	await until(t, () => api.events.size === 1 && lines.length === 1);
	t.like(lines[0], {reason: 'VolumeDaemonDied', subject: 'Pod/web/Not_A_Name/'});
});

test('calls are bounded in number, however many notices there are', async t => {
	const {api, poster} = await startPoster(t, {callIntervalMs: 600_000});
	for (let index = 0; index < 200; index++) {
		poster.post({...notice, message: `Number ${index}`});
	}

	await until(t, () => api.events.size === 25);
	// It waits for its next turn, which takes ten minutes here, and ends at once all the same.
	await poster.close();
	t.is(api.calls.length, 25);
});
