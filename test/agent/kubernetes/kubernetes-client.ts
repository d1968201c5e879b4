import {rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {askPluginDirectory} from '../../../src/agent/kubernetes/ask-plugin-directory.ts';
import {findClusterAccess} from '../../../src/agent/kubernetes/cluster-access.ts';
import {createKubernetesClient, KubernetesError} from '../../../src/agent/kubernetes/kubernetes-client.ts';
import {PluginDirectoryFinder} from '../../../src/agent/plugin-directory.ts';
import {startApiServer} from '../support/api-server.ts';

const never = new AbortController().signal;
const path = '/api/v1/nodes/node-1/proxy/configz';

test('the kubelet is asked for its plugin directory, and what it says is taken without a slash at the end', async t => {
	const api = await startApiServer(t);
	const client = createKubernetesClient(api.access);
	api.configz.set('node-1', {volumePluginDir: '/home/kubernetes/flexvolume/'});
	api.configz.set('node-2', {});
	t.is(await askPluginDirectory(client, 'node-1', never), '/home/kubernetes/flexvolume');
	t.is(await askPluginDirectory(client, 'node-2', never), undefined);
	await t.throwsAsync(askPluginDirectory(client, '../secrets', never), {message: /nodes "\.\.%2Fsecrets" not found/});
});

test('a replaced token is used at the next call, and a bad one is reported', async t => {
	const api = await startApiServer(t);
	api.configz.set('node-1', {});
	const client = createKubernetesClient(api.access);
	await client.call({method: 'GET', path, signal: never});
	api.setToken('token-2');
	await client.call({method: 'GET', path, signal: never});
	t.deepEqual(
		api.calls.map(({token}) => token),
		['token-1', 'token-2'],
	);

	writeFileSync(join(api.access.serviceAccountDirectory, 'token'), 'stolen');
	const error = await t.throwsAsync(client.call({method: 'GET', path, signal: never}), {instanceOf: KubernetesError});
	t.is(error.message, `GET ${path} was answered with 401: Unauthorized`);
	t.false(error.isFinal);
	rmSync(join(api.access.serviceAccountDirectory, 'token'));
	await t.throwsAsync(client.call({method: 'GET', path, signal: never}), {message: /failed: ENOENT/});
});

test('an API server of another CA gets no token', async t => {
	const [api, other] = await Promise.all([startApiServer(t), startApiServer(t)]);
	other.setToken('token-1');
	const client = createKubernetesClient({...api.access, port: other.access.port});
	const error = await t.throwsAsync(client.call({method: 'GET', path, signal: never}), {instanceOf: KubernetesError});
	t.regex(error.message, /certificate/);
	t.is(error.status, 0);
	t.deepEqual(other.calls, []);
});

test('a call that is not answered ends with its signal', async t => {
	const api = await startApiServer(t);
	api.failure = 'hang';
	const error = await t.throwsAsync(
		createKubernetesClient(api.access).call({method: 'GET', path, signal: AbortSignal.timeout(100)}),
		{instanceOf: KubernetesError},
	);
	t.regex(error.message, /timeout|aborted/);
	t.false(error.isFinal);
});

test('outside of a cluster, and without a token, there is no API server', async t => {
	const api = await startApiServer(t);
	t.deepEqual(findClusterAccess(api.variables, api.access.serviceAccountDirectory), api.access);
	t.is(findClusterAccess({}, api.access.serviceAccountDirectory), undefined);
	t.is(findClusterAccess(api.variables, '/no/such/directory'), undefined);
});

test('the plugin directory is the option, else what the kubelet says, else the default until the kubelet answers; the reason is logged once', async t => {
	const api = await startApiServer(t);
	const client = createKubernetesClient(api.access);
	const lines: unknown[] = [];
	const log = {warn: (fields: unknown) => lines.push(fields)} as never;
	const ask = async (signal: AbortSignal) => askPluginDirectory(client, 'node-1', signal);
	t.deepEqual(await new PluginDirectoryFinder({option: '/exec', ask, log}).find(never), {
		path: '/exec',
		source: 'option',
	});
	t.like(await new PluginDirectoryFinder({option: undefined, ask: undefined, log}).find(never), {source: 'default'});

	const finder = new PluginDirectoryFinder({option: undefined, ask, log});
	api.failure = 403;
	t.deepEqual(await finder.find(never), {
		path: '/usr/libexec/kubernetes/kubelet-plugins/volume/exec',
		source: 'default',
	});
	await finder.find(never);
	t.is(lines.length, 1);
	api.failure = undefined;
	api.configz.set('node-1', {volumePluginDir: '/etc/kubernetes/volumeplugins'});
	t.deepEqual(await finder.find(never), {path: '/etc/kubernetes/volumeplugins', source: 'kubelet'});
	api.failure = 500;
	t.deepEqual(await finder.find(never), {path: '/etc/kubernetes/volumeplugins', source: 'kubelet'});
	t.is(lines.length, 1);
});
