/**
Daemons on a node with systemd, which boots here as the first process of a host in namespaces: what it starts is in
its cgroups and its journal, and the service of the kubelet is one that calls the driver.
*/
import {join} from 'node:path';
import anyTest, {type ExecutionContext} from 'ava';
import {spawnTestDevServer, type SpawnedDevServer} from '../../support/dev-server.ts';
import {permissivePolicy, toKubeletJson} from '../../support/driver.ts';
import {startSystemdHost, type SystemdHost} from './support/systemd-host.ts';
import {testThatNeeds} from '../../support/needs.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const host = await startSystemdHost();
const {serial: test} = testThatNeeds({what: 'systemd', missing: typeof host === 'string' ? host : undefined});
const {shell, close} = host as SystemdHost; // Where there is none, every test is skipped.

const mebibyte = 2 ** 20;
const succeeded = '{"status":"Success"}\n';

anyTest.after.always(async () => (typeof host === 'string' ? undefined : close()));

/** Has `kubelet.service` call the driver; what it answers. */
const callFromKubelet = async (
	t: ExecutionContext,
	call: 'mount' | 'unmount',
	directory: string,
	options?: Readonly<Record<string, string>>,
): Promise<string> => {
	// A dead mount may be there already, as the kubelet may meet one.
	const script = `mkdir -p "$2" 2>/dev/null || grep -q " $2 " /proc/self/mounts
printf '%s' "$4" >/run/options
printf '%s' "$5" >/run/policy.json
cat >/run/kubelet <<'END'
#!/bin/sh
"$1" "$2" "$3" "$(cat /run/options)" >/run/answer 2>&1
systemd-notify --ready
sleep 1000
END
chmod +x /run/kubelet
cat >/run/systemd/system/kubelet.service <<END
[Service]
Type=notify
NotifyAccess=all
Environment=PNX_VOLUME_IDLE_MS=0 PNX_VOLUME_POLICY=/run/policy.json
ExecStart=/run/kubelet $3 $1 $2
END
systemctl daemon-reload && systemctl restart kubelet.service; cat /run/answer`;
	const {output} = await shell(script, [
		call,
		directory,
		join(root, 'driver', 'volume'),
		toKubeletJson(directory, options ?? {}),
		JSON.stringify(permissivePolicy),
	]);
	t.log(call, output);
	return output;
};

const podDirectory = (podUid: string): string => `/var/lib/kubelet/pods/${podUid}/volumes/pnx~volume/v`;

const optionsFor = (
	{endpoint, bucket, credentials}: SpawnedDevServer,
	more: Readonly<Record<string, string>> = {},
): Record<string, string> => ({
	'kubernetes.io/secret/access-key-id': Buffer.from(credentials.accessKeyId).toString('base64'),
	'kubernetes.io/secret/secret-access-key': Buffer.from(credentials.secretAccessKey).toString('base64'),
	name: bucket,
	endpoint,
	'path-style': 'true',
	...more,
});

/** The service of the only volume, and its properties. */
const findService = async (t: ExecutionContext): Promise<{unit: string; properties: Map<string, string>}> => {
	const {output} = await shell('systemctl list-units --plain --no-legend "pnx-volume-*" | cut -d " " -f 1');
	const unit = output.trim();
	t.regex(unit, /^pnx-volume-[0-9a-f]{16}\.service$/);
	const shown = await shell('systemctl show "$1"', [unit]);
	return {
		unit,
		properties: new Map(
			shown.output.split('\n').map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
		),
	};
};

const assertNothingLeft = async (t: ExecutionContext): Promise<void> => {
	t.is(
		(await shell('grep pnx /proc/mounts; ls -A /var/lib/pnx-volume/volumes; ls /run/pnx-volume | grep ^launch-'))
			.output,
		'',
	);
	// systemd forgets a unit in its own time after its process has ended.
	t.is(
		(
			await shell(
				'for i in $(seq 1200); do [ -z "$(systemctl list-units --all --plain --no-legend "pnx-volume-*")" ] && break; sleep 0.05; done; systemctl list-units --all --plain --no-legend "pnx-volume-*"',
			)
		).output,
		'',
	);
};

test('on a node with systemd, a daemon is a service with limits, which a restart of the kubelet does not touch, and which is gone after unmount', async t => {
	const server = await spawnTestDevServer(t);
	const directory = podDirectory('uid-1');
	t.is(await callFromKubelet(t, 'mount', directory, optionsFor(server, {memory: '64MiB'})), succeeded);
	const {unit, properties} = await findService(t);
	const expected = {
		ActiveState: 'active',
		NoNewPrivileges: 'yes',
		LimitCORE: '0',
		LimitNOFILE: '1048576',
		KillMode: 'mixed',
		Restart: 'no',
		OOMScoreAdjust: '-900',
		CollectMode: 'inactive-or-failed',
		MemoryHigh: String(576 * mebibyte),
		MemoryMax: String(1152 * mebibyte),
		CapabilityBoundingSet: 'cap_dac_read_search cap_linux_immutable cap_sys_ptrace cap_sys_admin',
	};
	t.deepEqual(Object.fromEntries(Object.keys(expected).map(name => [name, properties.get(name)])), expected);
	t.regex(properties.get('Before') ?? '', /kubepods\.slice/);

	const pid = properties.get('MainPID') ?? '';
	t.is((await shell('echo hello >"$1/greeting"; cat "$1/greeting"', [directory])).output, 'hello\n');
	t.regex((await shell('cat "/proc/$1/cgroup"', [pid])).output, new RegExp(`/system\\.slice/${unit}$`, 'm'));
	t.regex(
		(await shell('grep -E "CapEff|CapBnd|NoNewPrivs" "/proc/$1/status"', [pid])).output,
		/^CapEff:\t0000000000280204\nCapBnd:\t0000000000280204\nNoNewPrivs:\t1\n$/,
	);
	await shell('systemctl restart kubelet.service');
	t.is(
		(await shell('cat "$1/greeting"; systemctl show --property=MainPID --value "$2"', [directory, unit])).output,
		`hello\n${pid}\n`,
	);
	t.regex((await shell('journalctl --no-pager --output=cat "--unit=$1"', [unit])).output, /"msg":"volume mounted"/);

	t.is(await callFromKubelet(t, 'unmount', directory), succeeded);
	t.is((await shell('rmdir "$1"', [directory])).output, '');
	await assertNothingLeft(t);
});

test("on a node with systemd, neither a Secret nor the node's keys are in a property, an argument or an environment", async t => {
	const server = await spawnTestDevServer(t);
	const {accessKeyId, secretAccessKey} = server.credentials;
	const search = async (prelude = ''): Promise<string> =>
		(
			await shell(
				`${prelude}
systemctl show "pnx-volume-*" | grep -acF -e "$1" -e "$2"
for file in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do
	case $file in /proc/$$/*) ;; *) ! grep -aqF -e "$1" -e "$2" "$file" 2>/dev/null || { echo "$file"; tr '\\0' ' ' <"$file"; } ;; esac
done`,
				[secretAccessKey, Buffer.from(secretAccessKey).toString('base64')],
			)
		).output;

	// What is there is found.
	t.regex(
		await search(
			'KEY="$1" sleep 1000 >/dev/null & trap "kill $!" EXIT; until grep -q KEY /proc/$!/environ; do :; done',
		),
		/^0\n\/proc\/\d+\/environ\n/,
	);

	const directory = podDirectory('uid-2');
	t.is(await callFromKubelet(t, 'mount', directory, optionsFor(server)), succeeded);
	// The stand-in of the kubelet has its call, and so its Secret, in its arguments no more.
	await shell('systemctl stop kubelet.service');
	t.is(await search(), '0\n');
	t.is(await callFromKubelet(t, 'unmount', directory), succeeded);

	const variables = {AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, HOME: '/root'};
	const mounted = await shell(
		'mkdir /mnt/files && exec "$1/node_modules/.bin/node" "$1/dist/bin/pnx-volume.js" mount "$2" /mnt/files --background --path-style --endpoint "$3"',
		[root, server.bucket, server.endpoint],
		variables,
	);
	t.is(mounted.exitCode, 0, mounted.output);
	await findService(t);
	t.is(await search(), '0\n');
	t.is((await shell('echo hello >/mnt/files/greeting && cat /mnt/files/greeting')).output, 'hello\n');
	t.regex(
		(await shell('exec "$1/node_modules/.bin/node" "$1/dist/bin/pnx-volume.js" unmount /mnt/files', [root])).output,
		/^Unmounted/,
	);
	await assertNothingLeft(t);
});

test('on a node with systemd, mount says why its daemon failed, and works once the reason is gone, also after a daemon that was killed', async t => {
	const server = await spawnTestDevServer(t);
	const directory = podDirectory('uid-3');
	t.regex(
		await callFromKubelet(
			t,
			'mount',
			directory,
			optionsFor(server, {'kubernetes.io/secret/secret-access-key': Buffer.from('wrong').toString('base64')}),
		),
		/^\{"status":"Failure","message":".*SignatureDoesNotMatch/,
	);
	await assertNothingLeft(t);
	t.is(await callFromKubelet(t, 'mount', directory, optionsFor(server)), succeeded);
	const {properties} = await findService(t);
	await shell('kill -9 "$1"', [properties.get('MainPID') ?? '']);
	t.is(await callFromKubelet(t, 'mount', directory, optionsFor(server)), succeeded);
	t.is((await shell('echo hello >"$1/greeting"; cat "$1/greeting"', [directory])).output, 'hello\n');
	await findService(t);
	t.is(await callFromKubelet(t, 'unmount', directory), succeeded);
	await assertNothingLeft(t);
});

test("on a node where a service cannot be started, the daemon gets a cgroup of its own, outside of the kubelet's, and the log says why", async t => {
	const server = await spawnTestDevServer(t);
	const directory = podDirectory('uid-4');
	// Only of this host: its files are a layer above the machine's.
	await shell('rm "$(command -v mkfifo)"');
	t.is(await callFromKubelet(t, 'mount', directory, optionsFor(server)), succeeded);
	t.is((await shell('systemctl list-units --all --plain --no-legend "pnx-volume-*"')).output, '');
	const state = JSON.parse((await shell('cat /var/lib/pnx-volume/volumes/*/state.json')).output) as {
		daemon: {pid: number};
		launch: {way: string; unit?: string};
	};
	t.like(state.launch, {way: 'cgroup'});
	t.regex(
		(await shell('cat /var/log/pnx-volume.log')).output,
		/"message":"Cannot make pipes for the service: mkfifo could not be started[^\n]*"msg":"the daemon could not be started as a service of systemd/,
	);
	await shell('systemctl restart kubelet.service');
	const {output} = await shell('echo hello >"$1/greeting"; cat "$1/greeting" "/proc/$2/cgroup"', [
		directory,
		String(state.daemon.pid),
	]);
	t.regex(output, /^hello\n/);
	t.notRegex(output, /kubelet/);
	t.is(await callFromKubelet(t, 'unmount', directory), succeeded);
	await assertNothingLeft(t);
});
