/**
Sections 5 to 7 of docs/SEMANTICS.md where several nodes change names, attributes and bytes of one file at once, on real
mounts. The S3 server holds requests until it is told, so that every order is forced.
*/
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import type {FaultSettings} from '../../../src/dev-server/dev-server.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {startMountedNodes, type MountedNodes} from './support/mounted-nodes.ts';
import {fuse, isMet, python, testThatNeeds} from '../../support/needs.ts';
import {eventually, objectText} from '../../support/volume-nodes.ts';

const {serial: onMounts} = testThatNeeds(fuse, python);

let nodes: MountedNodes;
if (isMet(fuse, python)) {
	test.before(async () => {
		nodes = await startMountedNodes({count: 4});
	});

	test.after.always('the mounts end without a bug', async t => {
		const logs = nodes.nodes.map(node => node.log());
		await nodes.close();
		for (const log of logs) {
			t.notRegex(log, /met a bug/);
		}
	});
}

const renameNoReplace = 1;

/**
Runs `act`, and `meanwhile` while so many requests of the operation that came of it are held. All deletions are: a node
that got no answer for long, while `meanwhile` was slow, asks again.
*/
const whileHeld = async <Result>(
	t: Parameters<typeof eventually>[0],
	{operation, count = 1, ...faults}: {operation: string; count?: number} & Partial<FaultSettings>,
	{act, meanwhile}: {act: () => Promise<Result>; meanwhile: () => Promise<unknown>},
): Promise<Result> => {
	const {server} = nodes;
	await server.clearRequests();
	const hold = operation.startsWith('Delete') ? {operation} : {operation, count};
	await server.setFaults({holds: [hold], ...faults});
	const acting = act();
	await eventually(t, `${operation} is held`, async () => (await server.countRequests({operation})) >= count);
	await meanwhile();
	await server.setFaults({});
	return acting;
};

onMounts(
	'6.14 What another node closes in a file while that file, or its directory, is renamed is under the new name or the old one, and never lost. (through the kernel)',
	async t => {
		const {a, b, bucket} = nodes;
		// So that the question to the server whether it knows conditions of deletions is not what is held.
		await a.python(
			"write('warm', b''); os.mkdir(at('warm.d')); os.rename(at('warm.d'), at('warm.e')); os.unlink(at('warm'))",
		);
		for (let round = 0; round < 5; round++) {
			await a.python(`write('log.${round}', b'one\\n')`);
			await whileHeld(
				t,
				{operation: 'DeleteObject'},
				{
					act: async () => a.execute('mv', `log.${round}`, `moved.${round}`),
					meanwhile: async () => b.python(`append('log.${round}', b'two\\n')`),
				},
			);
			t.is(await objectText(bucket, `moved.${round}`), 'one\ntwo\n');
			t.is(await objectText(bucket, `log.${round}`), undefined);

			await a.python(`
os.mkdir(at('dir.${round}'))
for number in range(8): write('dir.${round}/%d' % number, b'one\\n')`);
			await whileHeld(
				t,
				{operation: 'DeleteObjects'},
				{
					act: async () => a.execute('mv', `dir.${round}`, `moved.d.${round}`),
					meanwhile: async () =>
						b.python(`
for number in range(4): append('dir.${round}/%d' % number, b'two\\n')
for number in range(4, 6): write('dir.${round}/%d' % number, b'other')
write('dir.${round}/new', b'new')`),
				},
			);
			const texts = await Promise.all(
				Array.from({length: 8}, async (_, number) => objectText(bucket, `moved.d.${round}/${number}`)),
			);
			t.deepEqual(texts, ['one\ntwo\n', 'one\ntwo\n', 'one\ntwo\n', 'one\ntwo\n', 'other', 'other', 'one\n', 'one\n']);
			t.is((await objectText(bucket, `moved.d.${round}/new`)) ?? (await objectText(bucket, `dir.${round}/new`)), 'new');
		}
	},
);

onMounts('a rename to a name that this node knew and another node has deleted does not end the daemon', async t => {
	const {a, b} = nodes;
	for (const flags of [0, renameNoReplace]) {
		await a.python("write('known', b'one')");
		t.is(await b.python("read('known')"), 'one');
		await a.python("os.unlink(at('known'))");
		await b.python(`
write('other', b'two')
while os.path.exists(at('known')): time.sleep(.05)
renameat2('other', 'known', ${flags})`);
		t.is(await a.python("read('known')"), 'two');
		await b.python("os.unlink(at('known'))");
	}
});

onMounts(
	'6.15 Of all nodes that rename something to one name with RENAME_NOREPLACE at the same time, exactly one succeeds; the others get EEXIST, and what they have stays as it is. (through the kernel)',
	async t => {
		const {bucket} = nodes;
		for (let round = 0; round < 5; round++) {
			for (const isTree of [false, true]) {
				const names = nodes.nodes.map((_, index) => `source.${isTree}.${round}.${index}`);
				const toKey = (name: string) => (isTree ? `${name}/file` : name);
				await Promise.all(names.map(async (name, index) => bucket.put(toKey(name), Buffer.from(`of ${index}`))));
				const outcomes = await whileHeld(
					t,
					{operation: isTree ? 'PutObject' : 'CopyObject', count: nodes.nodes.length},
					{
						act: async () =>
							Promise.all(
								nodes.nodes.map(async (node, index) =>
									errnoOf(node.python(`renameat2('${names[index]}', 'taken.${isTree}.${round}', ${renameNoReplace})`)),
								),
							),
						meanwhile: async () => undefined,
					},
				);
				t.deepEqual(outcomes.toSorted(), ['EEXIST', 'EEXIST', 'EEXIST', undefined]);
				const winner = outcomes.indexOf(undefined);
				t.is(await objectText(bucket, toKey(`taken.${isTree}.${round}`)), `of ${winner}`);
				t.deepEqual(
					await Promise.all(names.map(async name => objectText(bucket, toKey(name)))),
					names.map((_, index) => (index === winner ? undefined : `of ${index}`)),
				);
			}
		}
	},
);

onMounts(
	'7.20 When a node changes the attributes of a file while another node closes a change of its bytes, the file has the bytes that were closed, and the changed attributes. (through the kernel)',
	async t => {
		const {a, b, bucket} = nodes;
		for (let round = 0; round < 5; round++) {
			for (const [name, change] of [
				['chmod', "os.chmod(at('chmod'), 0o601)"],
				['touch', "os.utime(at('touch'), (5, 5))"],
				['setxattr', "os.setxattr(at('setxattr'), 'user.note', b'kept')"],
			] as const) {
				await a.python(`write('${name}', b'old %d' % ${round}); os.chmod(at('${name}'), 0o644)`);
				await whileHeld(
					t,
					{operation: 'CopyObject'},
					{
						act: async () => a.python(change.replace('0o601', `0o6${round}1`).replace("b'kept'", `b'kept ${round}'`)),
						meanwhile: async () => b.python(`write('${name}', b'written by b %d' % ${round})`),
					},
				);
				t.is(await objectText(bucket, name), `written by b ${round}`);
			}
		}

		t.deepEqual(
			await a.python(
				"[os.stat(at('chmod')).st_mode & 0o777, os.stat(at('touch')).st_mtime, os.getxattr(at('setxattr'), 'user.note')]",
			),
			[0o641, 5, 'kept 4'],
		);
	},
);

onMounts(
	'5.16 What was appended is in the file once, also when the answer of S3 was lost and other nodes appended to the file before the node asked again. (through the kernel)',
	async t => {
		const {a, b, bucket, server} = nodes;
		await a.python("append('lost', b'first\\n')");
		const hold = (): FaultSettings['holds'] => [{operation: 'PutObject', key: 'lost', count: 1}];
		let expected = 'first\n';
		for (let round = 0; round < 10; round++) {
			await server.clearRequests();
			await server.setFaults({holds: hold(), drops: [{operation: 'PutObject', key: 'lost', when: 'after', count: 1}]});
			const appending = a.python(`append('lost', b'of a ${round}\\n')`);
			const isHeld = async (count: number) =>
				(await server.countRequests({operation: 'PutObject', key: 'lost'})) >= count;
			await eventually(t, 'the first try is held', async () => isHeld(1));
			// Lets it through, without an answer, and holds the second.
			await server.setFaults({holds: hold()});
			await eventually(t, 'the second try is held', async () => isHeld(2));
			await b.python(`append('lost', b'of b ${round}\\n')`);
			await server.setFaults({});
			await appending;
			expected += `of a ${round}\nof b ${round}\n`;
			t.is(await objectText(bucket, 'lost'), expected);
		}
	},
);

onMounts(
	'5.18 What another node makes of a name that was deleted or renamed stays, also when it has the same bytes and the answer of S3 to the deletion was lost. (through the kernel)',
	async t => {
		const {a, b, bucket, server} = nodes;
		// So that the question to the server whether it knows conditions of deletions is not what is held.
		await a.python("os.mkdir(at('asked')); os.rename(at('asked'), at('asked.d')); os.rmdir(at('asked.d'))");
		for (const [name, operation, takeAway] of [
			['unlinked', 'DeleteObject', "os.unlink(at('unlinked/same'))"],
			['renamed', 'DeleteObject', "os.rename(at('renamed/same'), at('renamed.moved'))"],
			['tree', 'DeleteObjects', "os.rename(at('tree'), at('tree.moved'))"],
			['removed', 'DeleteObject', "os.rmdir(at('removed'))"],
		] as const) {
			const isEmpty = name === 'removed';
			const make = `os.makedirs(at('${name}'), exist_ok=True)${isEmpty ? '' : `; write('${name}/same', b'same')`}`;
			await a.python(make);
			const hold = {operation, count: 1};
			await server.clearRequests();
			await server.setFaults({holds: [hold], drops: [{operation, when: 'after', count: 1}]});
			const takingAway = a.python(takeAway);
			await eventually(t, 'the first try is held', async () => (await server.countRequests({operation})) === 1);
			await server.clearRequests();
			// Lets it through, without an answer, and holds what comes then.
			await server.setFaults({
				holds: ['HeadObject', 'DeleteObject', 'DeleteObjects'].map(held => ({operation: held, count: 1})),
			});
			await eventually(t, 'something is held', async () => (await server.countRequests()) >= 1);
			await b.python(make);
			await server.setFaults({});
			await takingAway;
			t.truthy(await bucket.head(isEmpty ? `${name}/` : `${name}/same`), name);
			if (!isEmpty) {
				t.is(await b.python(`read('${name}/same')`), 'same');
			}
		}

		t.is(await objectText(bucket, 'renamed.moved'), 'same');
		t.is(await objectText(bucket, 'tree.moved/same'), 'same');
	},
);

onMounts(
	'5.21 Attributes that a node has kept since before, also on its disk, are used only while a listing names the same version with the same time, so that 5.2 holds for a change of attributes alone, too.',
	async t => {
		const {a, b, server} = nodes;
		const names = ['changed', 'kept', 'replaced'];
		await a.python(
			`os.mkdir(at('attributes'))\nfor name in ${JSON.stringify(names)}: write('attributes/' + name, b'x')`,
		);
		// What is younger than two seconds is not kept: HEAD tells whole seconds.
		await sleep(3100);
		const modes = `{name: os.stat(at('attributes/' + name)).st_mode & 0o777 for name in os.listdir(at('attributes'))}`;
		t.deepEqual(await a.python(modes), {changed: 0o644, kept: 0o644, replaced: 0o644});
		await a.stop();
		// The bytes of both stay the same, and so do their etags.
		await b.python(
			`os.chmod(at('attributes/changed'), 0o600); os.unlink(at('attributes/replaced')); write('attributes/replaced', b'x'); os.chmod(at('attributes/replaced'), 0o640)`,
		);
		await a.restart();
		await server.clearRequests();
		t.deepEqual(await a.python(modes), {changed: 0o600, kept: 0o644, replaced: 0o640});
		const asked = (await server.listRequests()).filter(({operation}) => operation === 'HeadObject').map(({key}) => key);
		t.true(asked.includes('attributes/changed') && asked.includes('attributes/replaced'), asked.join(' '));
		t.false(asked.includes('attributes/kept'), asked.join(' '));
	},
);
