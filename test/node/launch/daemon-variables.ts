import test from 'ava';
import {toDaemonVariables} from '../../../src/node/launch/daemon-variables.ts';

const variables = {
	HOME: '/root',
	TZ: 'UTC',
	SECRET_OF_SOMEBODY: 'x',
	NODE_OPTIONS: '--inspect',
	NODE_EXTRA_CA_CERTS: '/etc/ca.pem',
	PNX_VOLUME_IDLE_MS: '0',
	AWS_ACCESS_KEY_ID: 'AKIA',
	AWS_SECRET_ACCESS_KEY: 'hush',
	AWS_SESSION_TOKEN: 'token',
	AWS_REGION: 'eu-central-1',
	HTTPS_PROXY: 'http://user:word@proxy:3128',
};

test('toDaemonVariables() keeps keys and proxies out of the environment of the process', t => {
	const {start, piped} = toDaemonVariables(variables, {hasCredentials: false, stateDirectory: '/state'});
	t.deepEqual(start, {
		PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
		NODE_COMPILE_CACHE: '/state/compile-cache',
		HOME: '/root',
		TZ: 'UTC',
		NODE_EXTRA_CA_CERTS: '/etc/ca.pem',
		PNX_VOLUME_IDLE_MS: '0',
	});
	t.deepEqual(piped, {
		AWS_ACCESS_KEY_ID: 'AKIA',
		AWS_SECRET_ACCESS_KEY: 'hush',
		AWS_SESSION_TOKEN: 'token',
		AWS_REGION: 'eu-central-1',
		HTTPS_PROXY: 'http://user:word@proxy:3128',
	});
});

test('toDaemonVariables() gives a daemon with credentials of its own none of ours', t => {
	const {piped} = toDaemonVariables(variables, {hasCredentials: true, stateDirectory: '/state'});
	t.deepEqual(Object.keys(piped), ['AWS_REGION', 'HTTPS_PROXY']);
});
