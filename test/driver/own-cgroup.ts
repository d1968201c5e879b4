import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {readMountTable} from '../../src/node/mount-table.ts';
import {readProcessIdentity} from '../../src/node/process-identity.ts';
import {createStandInHarness, driverPath, toKubeletJson} from '../support/driver.ts';

const unified = readMountTable().find(({type}) => type === 'cgroup2')?.path;

/** Whether this machine lets us make cgroups at all. */
const mayMakeCgroups = (): boolean => {
	if (unified === undefined) {
		return false;
	}

	const probe = join(unified, `pnx-probe-${process.pid}`);
	try {
		mkdirSync(probe);
		const child = `echo $$ >${probe}/cgroup.procs`;
		execFileSync('/bin/sh', ['-c', child], {stdio: 'ignore'});
		return true;
	} catch {
		return false;
	} finally {
		if (existsSync(probe)) {
			rmdirSync(probe);
		}
	}
};

(mayMakeCgroups() ? test.serial : test.serial.skip)('the daemon leaves the kubelet\'s cgroup, lives on when that is killed, and takes its own along when it ends', async t => {
	const node = createStandInHarness(t);
	const kubelet = join(unified!, `pnx-kubelet-${process.pid}`); // `mayMakeCgroups` has seen it.
	mkdirSync(kubelet);
	t.teardown(() => rmdirSync(kubelet));
	const directory = node.podDirectory('uid-1');
	const env = {PATH: '/usr/bin:/bin', ...node.variables};
	const script = 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"';
	const output = execFileSync('/bin/sh', ['-c', script, 'sh', kubelet, driverPath, 'mount', directory, toKubeletJson(directory, {name: 'bucket-1'})], {env, encoding: 'utf8'});
	t.is(output, '{"status":"Success"}\n');

	const {pid, request} = node.starts()[0]!;
	t.regex(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(`^0::/pnx-volume/${request.volumeId}$`, 'm'));
	t.is(readFileSync(join(kubelet, 'cgroup.procs'), 'utf8'), '');
	if (existsSync(join(kubelet, 'cgroup.kill'))) {
		writeFileSync(join(kubelet, 'cgroup.kill'), '1'); // As systemd does with a service.
	}

	t.not(readProcessIdentity(pid), undefined);
	t.is((await node.unmount(directory)).reply.status, 'Success');
	t.is(readProcessIdentity(pid), undefined);
});
