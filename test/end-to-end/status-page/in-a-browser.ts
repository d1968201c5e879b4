import {type ExecutionContext} from 'ava';
import type {AgentSnapshot} from '../../../src/agent/agent-snapshot.ts';
import {AgentServer} from '../../../src/agent/http/agent-server.ts';
import {PlainServer} from '../../../src/agent/http/plain-server.ts';
import {agentSnapshot, watchedVolume} from '../../agent/support/agent-snapshots.ts';
import {chromium, cornerColour, visit} from './support/chromium.ts';
import {testThatNeeds} from '../../support/needs.ts';

/** Two at a time would wait for each other. */
const {serial: inBrowser} = testThatNeeds(chromium);

const serve = async (t: ExecutionContext, snapshot: () => AgentSnapshot): Promise<string> => {
	const server = await AgentServer.start({statusListen: '127.0.0.1:0', snapshot});
	t.teardown(async () => server.close());
	return `http://${server.statusAddress}/`;
};

/** What somebody sees of a piece of HTML. */
const textOf = (dom: string): string =>
	dom
		.replaceAll(/<style>.*?<\/style>/gs, '')
		.replaceAll(/<[^>]+>/g, ' ')
		.replaceAll(/\s+/g, ' ');

inBrowser('a browser shows volumes with their numbers, the worst first, and asks nobody else for anything', async t => {
	const at = (seconds: number, atMs: number): AgentSnapshot =>
		agentSnapshot(
			[
				watchedVolume('web-media', 'healthy', {seconds, podCount: 2}),
				{...watchedVolume('orders', 'dead', {prefix: '2024'}), nextAttemptAtMs: Date.now() + 90_000},
			],
			{
				report: undefined,
				problems: ['The policy cannot be read; mend it.'],
				notices: [
					{
						atMs: Date.now() - 60_000,
						type: 'Normal',
						reason: 'First',
						message: 'what was first',
						volumeId: 'x',
						bucket: 'orders',
						pods: [],
					},
					{
						atMs: Date.now(),
						type: 'Warning',
						reason: 'Second',
						message: 'what came then',
						volumeId: 'x',
						bucket: 'orders',
						pods: [{path: '/p', namespace: 'shop', name: 'web-9'}],
					},
				],
				...(atMs === 0
					? {}
					: {
							report: {
								atMs,
								version: '0.2.0',
								volumes: [
									watchedVolume('web-media', 'healthy', {seconds, podCount: 2}),
									{...watchedVolume('orders', 'dead', {prefix: '2024'}), nextAttemptAtMs: Date.now() + 90_000},
								],
							},
						}),
			},
		);
	const nowMs = Date.now();
	let snapshot = at(10, nowMs - 5000);
	const url = await serve(t, () => snapshot);
	await fetch(url);
	snapshot = at(15, nowMs);
	const {dom, requests, console: said} = await visit(t, url);

	t.regex(dom, /<html lang="en">/);
	t.regex(dom, /<title>✗ dead \(1 of 2\) · node-7\.example\.internal · pnx-volume<\/title>/);
	t.regex(dom, /<meta http-equiv="refresh" content="5">/);
	t.is(dom.match(/<th scope="col" role="columnheader">/g)?.length, 6);
	t.is(dom.match(/<th scope="row" role="rowheader">/g)?.length, 2);
	const text = textOf(dom);
	t.regex(text, /The agent is not ready The policy cannot be read; mend it\./);
	t.regex(
		text,
		/orders\/2024 .*✗ dead .*shop\/web-7d4b9c6f5-x2x4q .*The daemon is gone, so every use of the directory fails.*it is started again in 1m\..* web-media /,
	);
	t.regex(
		text,
		/web-media .*✓ healthy 3 MiB\/s read 25 reads\/s 512 KiB\/s written 4\.0 writes\/s 1\.4 GiB 98% hits 3 MiB dirty 2 files, oldest 42s 0\.2\.0 · systemd · pid 4711 113 MiB memory, 0 restarts shop\/web-7d4b9c6f5-x2x40 \/var\/lib\/kubelet/,
	);
	t.regex(text, /! Second orders for shop\/web-9 what came then .*First orders what was first/);
	t.regex(text, /Runtime \/opt\/pnx-volume\/0\.2\.0 Versions on the node 0\.1\.0, 0\.2\.0/);

	t.deepEqual(said, []);
	t.deepEqual(
		requests.filter(request => !request.replace(/^http:\/\//, '').startsWith('127.0.0.1')),
		[],
	);
	t.true(requests.includes(url));
});

inBrowser('names of buckets, prefixes, pods and directories never become markup', async t => {
	const attack =
		'</td><script>document.title="x"</script><img src="http://elsewhere.example/x.png" onerror="document.title=1">\'"&amp;\u202E\uD800';
	const volume = watchedVolume(attack, 'failing', {prefix: attack, pod: attack});
	const hostile = {
		...volume,
		directories: volume.directories.map(directory => ({...directory, namespace: attack, path: `/${attack}`})),
		refused: {directory: attack, bytes: 1},
	};
	const url = await serve(t, () =>
		agentSnapshot([hostile], {
			nodeName: attack,
			version: attack,
			problems: [attack],
			notices: [
				{
					atMs: 0,
					type: 'Warning',
					reason: attack,
					message: attack,
					volumeId: attack,
					bucket: attack,
					pods: [{path: attack, namespace: attack, name: attack}],
				},
			],
		}),
	);
	const {dom, requests, console: said} = await visit(t, url);
	t.notRegex(dom, /<(?:script|img)\b/);
	t.true((dom.match(/&lt;script&gt;/g)?.length ?? 0) > 8);
	t.notRegex(dom, /\u202E/);
	t.deepEqual(said, []);
	t.deepEqual(
		requests.filter(request => request.includes('elsewhere')),
		[],
	);
});

inBrowser("the page is styled as its own policy allows, light or dark as the reader's system is", async t => {
	const url = await serve(t, () => agentSnapshot([]));
	t.is(await cornerColour(t, url), '#f6f7f9');
	t.is(await cornerColour(t, url, ['--blink-settings=preferredColorScheme=0']), '#0f1317');
});

inBrowser('a page that breaks the policy of all pages, or asks elsewhere, is told by these tests', async t => {
	const server = await PlainServer.start({
		address: {host: '127.0.0.1', port: 0},
		routes: {
			'/': () => ({status: 200, contentType: 'text/html', body: '<script>document.title="ran"</script>'}),
			'/free': () => ({
				status: 200,
				contentType: 'text/html',
				body: '<img src="http://elsewhere.example/x.png">',
				headers: {'Content-Security-Policy': 'default-src *'},
			}),
		},
	});
	t.teardown(async () => server.close());
	const forbidden = await visit(t, `http://${server.address}/`);
	t.regex(forbidden.console.join('\n'), /Content Security Policy/);
	t.notRegex(forbidden.dom, /<title>ran/);
	t.regex((await visit(t, `http://${server.address}/free`)).requests.join('\n'), /elsewhere\.example/);
});
