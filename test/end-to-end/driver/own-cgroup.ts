import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {findHierarchies, type Hierarchy} from '../../../src/node/launch/cgroup-hierarchies.ts';
import {planMemoryLimits} from '../../../src/node/launch/daemon-limits.ts';
import {readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {readProcessIdentity} from '../../../src/node/host/process-identity.ts';
import {readAllVolumeStates} from '../../../src/node/volumes/volume-state.ts';
import {createStandInHarness, driverPath, toKubeletJson} from '../../support/driver.ts';
import {testThatNeeds} from '../../support/needs.ts';

const hierarchies = findHierarchies(readFileSync('/proc/self/cgroup', 'utf8'), readMountTable());

/** A cgroup for the stand-in of the kubelet in one hierarchy; `undefined` where this machine lets nobody make any. */
const makeCgroup = ({mountPoint, controllers}: Hierarchy): string | undefined => {
	const directory = join(mountPoint, `pnx-kubelet-${process.pid}`);
	try {
		mkdirSync(directory);
		for (const name of controllers.includes('cpuset') ? ['cpuset.cpus', 'cpuset.mems'] : []) {
			writeFileSync(join(directory, name), readFileSync(join(mountPoint, name), 'utf8').trim());
		}

		execFileSync('/bin/sh', ['-c', 'echo $$ >"$1/cgroup.procs"', 'sh', directory], {stdio: 'ignore'});
		return directory;
	} catch {
		if (existsSync(directory)) {
			rmdirSync(directory);
		}

		return undefined;
	}
};

const kubeletCgroups = hierarchies.map(hierarchy => makeCgroup(hierarchy)).filter(directory => directory !== undefined);
const {serial: testCgroups} = testThatNeeds({
	what: 'cgroups',
	missing: kubeletCgroups.length > 0 ? undefined : 'this machine lets nobody make cgroups',
});

/** Of no other test: the cgroup of a volume has the same name whatever its state directory is. */
const bucket = 'own-cgroup';

test.after.always(() => {
	for (const directory of kubeletCgroups) {
		rmdirSync(directory);
	}
});

const cgroupsOf = (pid: number): string[] =>
	readFileSync(`/proc/${pid}/cgroup`, 'utf8')
		.trim()
		.split('\n')
		.map(line => line.slice(line.indexOf(':') + 1));

const mountFromKubelet = (directory: string, variables: Readonly<Record<string, string>>): string => {
	const script =
		'json=$1 directory=$2 driver=$3; shift 3; for cgroup; do echo $$ >"$cgroup/cgroup.procs"; done; exec "$driver" mount "$directory" "$json"';
	return execFileSync(
		'/bin/sh',
		['-c', script, 'sh', toKubeletJson(directory, {name: bucket}), directory, driverPath, ...kubeletCgroups],
		{env: {PATH: '/usr/bin:/bin', ...variables}, encoding: 'utf8'},
	);
};

testCgroups(
	'the daemon leaves the cgroups of its starter in every hierarchy, lives on when they are killed, and takes its own along when it ends',
	async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid-1');
		t.is(mountFromKubelet(directory, {...node.variables, PNX_VOLUME_LAUNCH: 'cgroup'}), '{"status":"Success"}\n');

		const {pid, request} = node.starts()[0]!; // It is mounted, so one has started.
		const cgroups = cgroupsOf(pid);
		t.deepEqual(
			cgroups.filter(line => line.includes('pnx-kubelet')),
			[],
		);
		t.is(
			cgroups.filter(line => line.endsWith(`:/pnx-volume/${request.volumeId}`)).length >= kubeletCgroups.length,
			true,
			cgroups.join(' '),
		);
		t.deepEqual(readAllVolumeStates(node.stateDirectory)[0]?.launch?.way, 'cgroup');
		for (const cgroup of kubeletCgroups) {
			t.is(readFileSync(join(cgroup, 'cgroup.procs'), 'utf8'), '', cgroup);
			if (existsSync(join(cgroup, 'cgroup.kill'))) {
				writeFileSync(join(cgroup, 'cgroup.kill'), '1'); // As systemd does with a service.
			}
		}

		const memory = hierarchies
			.map(({mountPoint}) => join(mountPoint, 'pnx-volume', request.volumeId))
			.flatMap(own => ['memory.max', 'memory.limit_in_bytes'].map(name => join(own, name)))
			.filter(path => existsSync(path));
		for (const path of memory) {
			t.is(Number(readFileSync(path, 'utf8')), planMemoryLimits({name: bucket}).maxBytes, path);
		}

		t.not(readProcessIdentity(pid), undefined);
		t.is((await node.unmount(directory)).reply.status, 'Success');
		t.is(readProcessIdentity(pid), undefined);
		t.deepEqual(
			hierarchies
				.flatMap(({mountPoint}) =>
					existsSync(join(mountPoint, 'pnx-volume')) ? readdirSync(join(mountPoint, 'pnx-volume')) : [],
				)
				.filter(name => name === request.volumeId),
			[],
		);
	},
);

testCgroups(
	'where nothing but a session is asked for, the daemon stays in the cgroups of its starter, and the state says so',
	async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid-1');
		t.is(mountFromKubelet(directory, {...node.variables, PNX_VOLUME_LAUNCH: 'session'}), '{"status":"Success"}\n');
		const {pid} = node.starts()[0]!; // It is mounted, so one has started.
		t.is(cgroupsOf(pid).filter(line => line.includes('pnx-kubelet')).length, kubeletCgroups.length);
		const [state] = readAllVolumeStates(node.stateDirectory);
		t.like(state?.launch, {way: 'session', home: join(import.meta.dirname, '..', '..', '..')});
		t.is((await node.unmount(directory)).reply.status, 'Success');
	},
);

test.serial(
	'the daemon leads a session of its own, has few capabilities, gains no more, and leaves no core file',
	async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid-1');
		t.is((await node.mount(directory, {name: bucket})).output, '{"status":"Success"}\n');
		const {pid, coreLimit} = node.starts()[0]!; // It is mounted, so one has started.
		const status = readFileSync(`/proc/${pid}/status`, 'utf8');
		// CAP_DAC_READ_SEARCH (2), CAP_LINUX_IMMUTABLE (9), CAP_SYS_PTRACE (19), CAP_SYS_ADMIN (21) of linux/capability.h.
		const mask = [2, 9, 19, 21]
			.reduce((bits, bit) => bits | (1 << bit), 0)
			.toString(16)
			.padStart(16, '0');
		t.deepEqual(
			Object.fromEntries(
				['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs'].map(name => [
					name,
					new RegExp(`^${name}:\\t(.*)$`, 'm').exec(status)?.[1],
				]),
			),
			{
				CapInh: '0'.repeat(16),
				CapPrm: mask,
				CapEff: mask,
				CapBnd: mask,
				CapAmb: '0'.repeat(16),
				NoNewPrivs: '1',
			},
		);
		t.is(coreLimit, '0');
		const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
		t.is(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3], String(pid)); // Field 6: the session.
		t.is((await node.unmount(directory)).reply.status, 'Success');
	},
);
