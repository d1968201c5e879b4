/**
What the author of a pod can put into the options of a volume, at its worst, through the driver as the kubelet runs
it.
*/
import {spawn} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import test from 'ava';
import {findDuplicateKey} from '../../../src/policy/find-duplicate-key.ts';
import {parseMountOptions} from '../../../src/flexvolume/parse-mount-options.ts';
import {createStandInHarness, driverPath, toKubeletJson} from '../../support/driver.ts';

/** The longest argument that the kernel takes, without its NUL. */
const argumentBytesMax = 131_071;
const replyBytesMax = 4096;

test('findDuplicateKey() finds a key that an object has twice, however it is written, and none where there is none', t => {
	for (const [json, key] of [
		['{"a":1,"a":2}', 'a'],
		['{"a":1,"\\u0061":2}', 'a'],
		['{"x":{"b":1},"y":[{"b":1},{"c":1,"b":{"c":2},"c":3}]}', 'y.1.c'],
		['{"__proto__":1,"__proto__":2}', '__proto__'],
		['[{"":1,"":2}]', '0.'],
		['{"a":"{\\"a\\":1","b":{"a":1},"c":["a","a"],"d":"\\\\"}', undefined],
		['{}', undefined],
		['"a"', undefined],
		['[[],{}]', undefined],
	] as const) {
		t.is(findDuplicateKey(json), key, json);
	}
});

test('an option that is given twice, or named like a part of JavaScript, is an error, not a surprise', t => {
	for (const [json, message] of [
		['{"name":"a-bucket","name":"b-bucket"}', /option "name" is given twice/],
		[
			'{"kubernetes.io/pod.namespace":"web","name":"a-bucket","kubernetes.io/pod.namespace":"shop"}',
			/option "kubernetes\.io\/pod\.namespace" is given twice/,
		],
		['{"name":"a-bucket","__proto__":"x"}', /Unknown option "__proto__"/],
		['{"name":"a-bucket","constructor":"x"}', /Unknown option "constructor"/],
		['{"name":"a-bucket","toString":"x"}', /Unknown option "toString"/],
		[
			'{"name":"a-bucket","kubernetes.io/secret/__proto__":"eA=="}',
			/The Secret of the volume has no key "access-key-id"/,
		],
		['{"nаme":"a-bucket"}', /Unknown option "nаme"; did you mean "name"\?/],
		['{"name":"ｂucket"}', /"ｂucket" cannot be a bucket name/],
		['{"name":"a-bucket","kubernetes․io/pod.namespace":"web"}', /Unknown option/],
		['{"name":"a-bucket","prefix":"a\\nb"}', /Option "prefix" must be text without control characters/],
		['{"name":"a-bucket","endpoint":"http://s3,allow_other@x"}', /Option "endpoint" must be http/],
		['{"name":"a-bucket","endpoint":"file:///etc"}', /Option "endpoint" must be http/],
		['{"name":"a-bucket","region":"x.evil.org/"}', /Option "region" must be a region/],
		['{"name":"--help"}', /"--help" cannot be a bucket name/],
		['{"name":"../../x"}', /cannot be a bucket name/],
	] as const) {
		t.throws(() => parseMountOptions(json), {message}, json);
	}
});

test.serial('arguments as long as the kernel takes them get one short answer, and start nothing', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	const fill = (text: string, length: number) => text.repeat(Math.ceil(length / text.length)).slice(0, length);
	const empty = toKubeletJson(directory, {name: 'bucket-1', x: ''});
	const room = argumentBytesMax - Buffer.byteLength(empty);
	for (const json of [
		toKubeletJson(directory, {name: fill('x', room)}),
		toKubeletJson(directory, {name: 'bucket-1', x: fill('y', room)}),
		toKubeletJson(directory, {name: 'bucket-1', endpoint: `http://${fill('z.', room - 30)}`}),
		toKubeletJson(directory, {name: 'bucket-1', prefix: fill('p', room - 20)}),
		toKubeletJson(directory, {name: 'bucket-1', 'kubernetes.io/pod.namespace': fill('n', room - 40)}),
		toKubeletJson(directory, {name: 'bucket-1', 'kubernetes.io/pod.name': fill('n', room - 40)}),
		fill('[', 60_000),
		`{"name":${fill('[', 40_000)}${fill(']', 40_000)}}`,
		`{${Array.from({length: 9000}, (_, index) => `"k${index}":""`).join(',')}}`,
		fill('{"a":', 100_000),
	]) {
		t.true(Buffer.byteLength(json) <= argumentBytesMax, String(Buffer.byteLength(json)));
		const {reply, output, exitCode} = await node.call('mount', directory, json);
		t.is(reply.status, 'Failure', output.slice(0, 300));
		t.is(exitCode, 0);
		t.true(Buffer.byteLength(output) < replyBytesMax && output.indexOf('\n') === output.length - 1);
	}

	t.deepEqual(node.starts(), []);
	t.true(
		node
			.log()
			.split('\n')
			.every(line => line.length < replyBytesMax),
	);
});

test.serial('no value reaches a shell, a mount option or a file name', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	const witness = join(dirname(node.stateDirectory), 'witness');
	const prefix = `-o suid,dev,exec $(touch ${witness}) \`touch ${witness}\`; touch ${witness} | '"%s\\`;
	t.is((await node.mount(directory, {name: 'bucket-1', prefix})).output, '{"status":"Success"}\n');
	t.is(node.starts()[0]!.request.options['prefix'], prefix);
	t.is((await node.unmount(directory)).output, '{"status":"Success"}\n');
	t.false(existsSync(witness));
	t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
});

test.serial(
	"what the kubelet's environment has for Node.js and the loader does not reach the driver or the daemon",
	async t => {
		const node = createStandInHarness(t);
		const witness = join(dirname(node.stateDirectory), 'witness');
		const script = join(dirname(node.stateDirectory), 'evil.cjs');
		writeFileSync(script, `require('node:fs').writeFileSync(${JSON.stringify(witness)}, '')`);
		const directory = node.podDirectory('uid-1');
		const {output} = await node.callWith(
			{
				NODE_OPTIONS: `--require ${script}`,
				LD_LIBRARY_PATH: '/nonexistent',
				LD_AUDIT: '',
				BASH_ENV: script,
				ENV: script,
			},
			'mount',
			directory,
			toKubeletJson(directory, {name: 'bucket-1'}),
		);
		t.is(output, '{"status":"Success"}\n');
		t.false(existsSync(witness));
		t.deepEqual(
			Object.keys(node.starts()[0]!.env).filter(name => /^(?:NODE_OPTIONS|LD_|BASH_ENV|ENV$)/.test(name)),
			[],
		);
	},
);

test.serial(
	'only the command line that the kubelet itself wrote has the Secret in it, while a mount is under way',
	async t => {
		const node = createStandInHarness(t, {PNX_VOLUME_MOUNT_TIMEOUT_MS: '60000'});
		const directory = node.podDirectory('uid-1');
		const encoded = Buffer.from('hush-hush-4711').toString('base64');
		const json = toKubeletJson(directory, {
			name: 'hangs-1',
			'kubernetes.io/secret/accessKey': 'QUtJRA==',
			'kubernetes.io/secret/secretKey': encoded,
		});
		const driver = spawn(driverPath, ['mount', directory, json], {
			env: {PATH: '/usr/bin:/bin', ...node.variables},
			stdio: 'ignore',
			detached: true,
		});
		t.teardown(() => {
			process.kill(-driver.pid!, 'SIGKILL'); // It hangs until then; spawn() gave it a pid, or the test has failed before.
		});
		while (node.starts().length === 0 && driver.exitCode === null) {
			await delay(20);
		}

		t.is(driver.exitCode, null);

		const holders: string[] = [];
		for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)) {
			for (const file of ['cmdline', 'environ']) {
				const text = readProcessFile(pid, file);
				if (text.includes(encoded) || text.includes('hush-hush-4711')) {
					holders.push(`${file} ${text.split('\0').slice(0, 3).join(' ')}`);
				}
			}
		}

		t.deepEqual([...new Set(holders)], [`cmdline /bin/sh ${driverPath} mount`]);
	},
);

const readProcessFile = (pid: string, file: string): string => {
	try {
		return readFileSync(`/proc/${pid}/${file}`, 'utf8');
	} catch {
		return ''; // It has ended, or is of the kernel's.
	}
};
