import test from 'ava';
import {planMemoryLimits} from '../../../src/node/launch/daemon-limits.ts';
import {escapeArgument, toServiceProperties} from '../../../src/node/launch/systemd-properties.ts';
import {toUnitName} from '../../../src/node/launch/systemd-service.ts';

const mebibyte = 2 ** 20;
const memory = planMemoryLimits({name: 'bucket-1'});

test('planMemoryLimits() leaves room for the process beside the data in flight, and twice as much before it ends', t => {
	t.deepEqual(planMemoryLimits({name: 'bucket-1', memory: '1GiB'}), {
		highBytes: 1536 * mebibyte,
		maxBytes: 3072 * mebibyte,
	});
	t.deepEqual(memory, planMemoryLimits({name: 'bucket-1', memory: '128MiB'}));
});

test('toServiceProperties() has nothing that gives the service a mount namespace: its mount must appear on the node', t => {
	const {essential, hardening} = toServiceProperties({
		memory,
		volumeDirectory: '/var/lib/pnx-volume/volumes/0123456789abcdef',
	});
	// systemd.exec(5): every setting that implies one.
	const namespacing =
		/^(?:Protect|Private|ReadWritePaths|ReadOnlyPaths|InaccessiblePaths|ExecPaths|NoExecPaths|TemporaryFileSystem|BindPaths|BindReadOnlyPaths|RootDirectory|RootImage|MountFlags|MountAPIVFS|MountImages|ExtensionImages|StateDirectory|RuntimeDirectory|CacheDirectory|LogsDirectory|ConfigurationDirectory|DynamicUser|LoadCredential|SetCredential|ProcSubset|KeyringMode=private)/;
	t.deepEqual(
		[...essential, ...hardening].filter(property => namespacing.test(property)),
		[],
	);
});

test('toServiceProperties() says no path that systemd would read as something else', t => {
	const paths = (volumeDirectory: string): string[] =>
		toServiceProperties({memory, volumeDirectory}).essential.filter(property =>
			property.startsWith('RequiresMountsFor='),
		);
	t.deepEqual(paths('/var/lib/pnx-volume'), ['RequiresMountsFor=/var/lib/pnx-volume']);
	for (const path of ['/data/%h', '/data/a b', '/data/"', '/data/\\x41', '/data/$HOME', '/data/\n']) {
		t.deepEqual(paths(path), [], path);
	}
});

test('escapeArgument() keeps systemd from replacing variables', t => {
	t.is(escapeArgument('exec 3<"$1/request" && echo $$ ${HOME}'), 'exec 3<"$$1/request" && echo $$$$ $${HOME}');
});

test('toUnitName() takes ids of volumes only', t => {
	t.is(toUnitName('0123456789abcdef'), 'pnx-volume-0123456789abcdef.service');
	t.throws(() => toUnitName('../kubelet'), {message: /16 hexadecimal digits/});
});
