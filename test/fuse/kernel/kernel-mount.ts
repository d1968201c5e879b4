/** Mounts over the kernel's own protocol: the cases of every mount, and what only this transport can do. */
import {execFile} from 'node:child_process';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import {root, fuse, testThatNeeds} from '../../support/needs.ts';
import {runOn} from '../../support/test-transport.ts';
import {type ChildMount, mountInChild} from '../support/mount.ts';
import {runMountCases} from '../support/run-mount-cases.ts';

const run = promisify(execFile);
const {serial: testOnMount} = testThatNeeds(fuse, root);

runOn('kernel');
runMountCases();

const mounted = async (t: ExecutionContext, options?: Parameters<typeof mountInChild>[0]): Promise<ChildMount> => {
	const mount = await mountInChild(options);
	t.teardown(async () => mount.close());
	return mount;
};

testOnMount('only root may mount over this transport, and others are told which one they may use', async t => {
	const module = new URL('../../../src/fuse/kernel/kernel-mount.ts', import.meta.url);
	const script = `
		import {mountKernel} from '${module.href}';
		process.seteuid(65_534);
		await mountKernel({mountPoint: '/nowhere'}).catch(error => console.log(error.message));`;
	const {stdout} = await run(process.execPath, ['--input-type=module', '-e', script]);
	t.is(
		stdout.trim(),
		'Cannot mount on /nowhere with transport=kernel: only root may; use transport=native, or run as root',
	);
});

testOnMount('a mount point that is not there is an error, and leaves no process', async t => {
	const fixture = new URL('../support/mount-memory-file-system.ts', import.meta.url);
	await t.throwsAsync(run(process.execPath, [fixture.pathname, '/nowhere/at/all']), {
		message: /Cannot mount FUSE on \/nowhere\/at\/all: .*mount/,
	});
});

testOnMount('a listing brings the attributes along, so that nobody asks for each', async t => {
	const {mountPoint, log} = await mounted(t, {isEachLogged: true, isFilled: true});
	const {stdout} = await run('find', [mountPoint, '-type', 'f', '-size', '0', '-uid', '0'], {cwd: '/'});
	t.is(stdout.trim().split('\n').length, 50);
	t.deepEqual(log().match(/"op":"(?:lookup|getattr)","subject":"[^"]*file-.*/g), null);
});

testOnMount(
	'while 200 operations wait others are answered, and a program that is killed does not wait for them',
	async t => {
		const {mountPoint, log} = await mounted(t, {isStuck: true, isEachLogged: true});
		const script = `
import mmap, os, threading
open('stuck', 'wb').write(b'x' * 4096)
fd = os.open('stuck', os.O_RDONLY | os.O_DIRECT)
for _ in range(200):
    threading.Thread(target=lambda: os.preadv(fd, [mmap.mmap(-1, 4096)], 0), daemon=True).start()
for index in range(100):
    os.stat('name-that-is-free') if os.path.exists('name-that-is-free') else None
print(os.stat('.').st_ino, flush=True)
os.kill(os.getpid(), 9)`;
		const {stdout} = await run('sh', ['-c', 'python3 -c "$1" || [ $? = 137 ]', 'sh', script], {cwd: mountPoint});
		t.is(stdout.trim(), '1');
		t.regex(log(), /"op":"lookup","subject":"\/name-that-is-free"/);
	},
);

testOnMount('inode numbers belong to paths: another mount of the same files shows the same', async t => {
	const numbers = async (): Promise<string> => {
		const {mountPoint, close} = await mountInChild({isFilled: true});
		const {stdout} = await run('ls', ['-i', mountPoint]);
		await close();
		return stdout;
	};
	const first = await numbers();
	t.is(await numbers(), first);
	t.is(new Set(first.match(/\d+(?= file)/g)).size, 50);
});
