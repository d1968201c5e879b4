import type {ExecutionContext} from 'ava';
import {compareKeys} from '../../../../src/model/object-key.ts';
import type {ObjectStore} from '../../../../src/store/object-store.ts';
import {isStoreError, type StoreErrorCode} from '../../../../src/model/store-error.ts';
import {toMultipartEtag} from '../../../../src/store/etag.ts';
import {testThatNeeds, type Need} from '../../../support/needs.ts';
import {listAll, toBytes, toText} from '../../../support/store-answers.ts';
import {checkBlockSums} from './check-block-sums.ts';
import {withoutAge} from '../../../support/without-age.ts';

type ObjectStoreContract = {
	/** Stands before every title. */
	readonly name: string;
	/** What a test of this store needs of the machine. */
	readonly needs?: readonly Need[];
	/** An empty store; closed and removed by the test's teardown. */
	readonly createStore: (t: ExecutionContext, options: {readonly isVersioned: boolean}) => Promise<ObjectStore>;
	/** What the server behind the store cannot do is left out, in the open. */
	readonly supports: {
		readonly conditionalCopy: boolean;
		readonly conditionalComplete: boolean;
		/** An etag of the source of a copy is a condition. */
		readonly conditionalCopySource: boolean;
		/** `notFound` for If-Match on a key that does not exist; else `preconditionFailed`. */
		readonly ifMatchTellsAbsence: boolean;
		readonly versioning: boolean;
	};
};

const mebibyte = 2 ** 20;

/** Keys that are ordinary to S3 and a trap to encoders. */
const oddKeys = [
	'a b+c%20d',
	'amp&lt<gt>quot"apos\'',
	'question?mark#hash=equals',
	'ünï/日本語/🦀',
	'double//slash',
	'./dot',
	'../dots',
	'a/../b',
	'/leading',
	'trailing/',
	'~!*()$,;:@[]{}|\\^`',
	'tab\tline\nreturn\r',
	'control\u0001\u001F',
	'k'.repeat(1000),
	'\u{FFFD}\u{10FFFF}',
	'plus+plus',
	' blank ',
];

/** What every object store keeps of the comments in `src/store/object-store.ts`. */
export const objectStoreContract = ({name, needs = [], createStore, supports}: ObjectStoreContract): void => {
	const check = (
		title: string,
		run: (t: ExecutionContext, store: ObjectStore) => Promise<void>,
		{isSupported = true, isVersioned = false} = {},
	): void => {
		const {test} = testThatNeeds(...needs, {
			what: 'conditions on copies and completions',
			missing: isSupported ? undefined : 'the server behind the store cannot do it',
		});
		test(`${name}: ${title}`, async t => {
			await run(t, await createStore(t, {isVersioned}));
		});
	};

	check('head() and get() answer undefined for a key that does not exist', async (t, store) => {
		t.is(await store.head('absent'), undefined);
		t.is(await store.get('absent'), undefined);
		t.is(await store.get('absent', {range: {start: 0, end: 1}}), undefined);
	});

	check('put() stores the bytes, and head() and get() agree about them', async (t, store) => {
		const startMs = Date.now();
		const {etag} = await store.put('file', [bytes('hel'), bytes(''), bytes('lo')], {
			contentType: 'text/plain',
			metadata: {'file-mtime': '1700000000123456789ns', 'file-owner': '0'},
		});
		const head = await store.head('file');
		const answer = await store.get('file');
		t.is(await toText(answer), 'hello');
		t.deepEqual(withoutAge(answer?.object), withoutAge(head));
		t.like(head, {
			key: 'file',
			etag,
			sizeBytes: 5,
			contentType: 'text/plain',
			metadata: {'file-mtime': '1700000000123456789ns', 'file-owner': '0'},
		});
		t.deepEqual(Object.keys(head?.metadata ?? {}).sort(), ['file-mtime', 'file-owner']);
		t.false(etag.includes('"'));
		t.true(Math.abs((head?.lastModifiedMs ?? 0) - startMs) < 60_000);
	});

	check('put() stores an empty object, and get() yields nothing of it', async (t, store) => {
		const {etag} = await store.put('empty', []);
		await store.put('empty-too', new Uint8Array());
		t.is(etag, 'd41d8cd98f00b204e9800998ecf8427e');
		t.like(await store.head('empty'), {sizeBytes: 0, etag, metadata: {}});
		t.is(await toText(await store.get('empty')), '');
		t.is((await store.head('empty-too'))?.etag, etag);
	});

	check('put() replaces bytes and metadata as a whole', async (t, store) => {
		await store.put('file', bytes('long before'), {metadata: {old: '1'}, contentType: 'text/html'});
		const {etag} = await store.put('file', bytes('now'));
		const answer = await store.get('file');
		t.is(await toText(answer), 'now');
		t.like(answer?.object, {etag, sizeBytes: 3, metadata: {}});
		t.not(answer?.object.contentType, 'text/html');
	});

	check('put() and get() carry 20 MiB unchanged', async (t, store) => {
		const pieces = [patternOf(7 * mebibyte, 1), patternOf(1, 2), patternOf(13 * mebibyte - 1, 3)];
		await store.put('large', pieces);
		const got = await toBytes(await store.get('large'));
		t.is(Buffer.compare(got, Buffer.concat(pieces)), 0);
	});

	check('keys that confuse encoders name what they say', async (t, store) => {
		for (const [index, key] of oddKeys.entries()) {
			await store.put(key, bytes(`value ${index}`), {metadata: {index: String(index)}});
		}

		for (const [index, key] of oddKeys.entries()) {
			t.is(await toText(await store.get(key)), `value ${index}`, JSON.stringify(key));
			t.like(await store.head(key), {key, metadata: {index: String(index)}});
		}

		t.deepEqual(await listAll(store, {prefix: ''}), [...oddKeys].sort(compareKeys));
		for (const key of oddKeys) {
			t.like(await store.list({prefix: key}), {objects: [{key}]});
			t.is(typeof (await store.copy({key}, `${key}-copy`)).etag, 'string');
		}

		t.deepEqual(await store.deleteMany(oddKeys.map(key => ({key: `${key}-copy`}))), []);
		t.deepEqual(await store.deleteMany(oddKeys.map(key => ({key}))), []);
		t.deepEqual(await listAll(store, {prefix: ''}), []);
	});

	check('a key of more than 1024 bytes is refused as too long', async (t, store) => {
		const key = 'é'.repeat(600);
		await throwsCode(t, 'keyTooLong', store.put(key, bytes('')));
		await throwsCode(t, 'keyTooLong', store.head(key));
		await throwsCode(t, 'keyTooLong', store.copy({key: 'x'}, key));
	});

	check('an empty key is a bug of the caller', async (t, store) => {
		for (const call of [
			async () => store.put('', bytes('')),
			async () => store.delete(''),
			async () => store.head(''),
		]) {
			await t.throwsAsync(call, {name: 'AssertionError'});
		}
	});

	check('get() reads exactly the range, and tells the size of the whole', async (t, store) => {
		await store.put('digits', bytes('0123456789'));
		for (const [start, end, text] of [
			[0, 1, '0'],
			[3, 7, '3456'],
			[9, 10, '9'],
			[0, 10, '0123456789'],
		] as const) {
			const answer = await store.get('digits', {range: {start, end}});
			t.is(await toText(answer), text);
			t.is(answer?.object.sizeBytes, 10);
		}
	});

	check('get() refuses a range that is empty or ends behind the object', async (t, store) => {
		await store.put('digits', bytes('0123456789'));
		await t.throwsAsync(async () => store.get('digits', {range: {start: 3, end: 3}}), {name: 'AssertionError'});
		await throwsCode(t, 'invalidRequest', store.get('digits', {range: {start: 5, end: 11}}));
		await throwsCode(t, 'invalidRequest', store.get('digits', {range: {start: 10, end: 11}}));
	});

	check('get() with If-Match reads one version only', async (t, store) => {
		const {etag} = await store.put('file', bytes('one'));
		t.is(await toText(await store.get('file', {ifMatch: etag, range: {start: 0, end: 2}})), 'on');
		await store.put('file', bytes('two'));
		await throwsCode(t, 'preconditionFailed', store.get('file', {ifMatch: etag}));
		await throwsCode(t, 'preconditionFailed', store.get('file', {ifMatch: etag, range: {start: 0, end: 2}}));
	});

	check('a body that is given up early leaves the store usable', async (t, store) => {
		await store.put('large', patternOf(8 * mebibyte, 1));
		for (let round = 0; round < 70; round++) {
			const answer = await store.get('large');
			let byteCount = 0;
			for await (const piece of answer!.body) {
				// It was stored above.
				byteCount += piece.length;
				break;
			}

			t.true(byteCount > 0);
		}

		const unread = await store.get('large');
		await unread?.body[Symbol.asyncIterator]().return?.();
		t.is((await store.head('large'))?.sizeBytes, 8 * mebibyte);
	});

	check('put() with If-None-Match creates, and never replaces', async (t, store) => {
		const {etag} = await store.put('lock', bytes('mine'), {ifNoneMatch: '*', metadata: {owner: 'a'}});
		await throwsCode(t, 'preconditionFailed', store.put('lock', bytes('theirs'), {ifNoneMatch: '*'}));
		await throwsCode(
			t,
			'preconditionFailed',
			store.put('lock', bytes('mine'), {ifNoneMatch: '*', metadata: {owner: 'a'}}),
		);
		t.like(await store.head('lock'), {etag, metadata: {owner: 'a'}});
		t.deepEqual(Object.keys((await store.head('lock'))?.metadata ?? {}), ['owner']);
		await store.delete('lock');
		await store.put('lock', bytes('again'), {ifNoneMatch: '*'});
		t.is(await toText(await store.get('lock')), 'again');
	});

	check('put() with If-Match replaces this version only', async (t, store) => {
		const first = await store.put('file', bytes('one'));
		const second = await store.put('file', bytes('two'), {ifMatch: first.etag});
		await throwsCode(t, 'preconditionFailed', store.put('file', bytes('three'), {ifMatch: first.etag}));
		t.is((await store.head('file'))?.etag, second.etag);
		await throwsCode(
			t,
			supports.ifMatchTellsAbsence ? 'notFound' : 'preconditionFailed',
			store.put('absent', bytes('x'), {ifMatch: first.etag}),
		);
		t.is(await store.head('absent'), undefined);
	});

	check('of ten put() with If-None-Match at once exactly one wins', async (t, store) => {
		const outcomes = await Promise.allSettled(
			Array.from({length: 10}, async (_, index) => store.put('race', bytes(`writer ${index}`), {ifNoneMatch: '*'})),
		);
		const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []));
		t.is(winners.length, 1);
		t.is(await toText(await store.get('race')), `writer ${winners[0]}`);
		for (const outcome of outcomes) {
			t.true(outcome.status === 'fulfilled' || isStoreError(outcome.reason, 'preconditionFailed'));
		}
	});

	check('list() answers keys in the order of their bytes', async (t, store) => {
		const keys = ['a', 'a!', 'a-b', 'a/', 'a/b', 'a0', 'ab', 'b', 'é', '\u{FFFD}', '\u{10000}', 'Z'];
		for (const key of keys) {
			await store.put(key, bytes(key));
		}

		t.deepEqual(
			await listAll(store, {prefix: ''}),
			keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
		);
		const {objects} = await store.list({prefix: 'a/b'});
		const head = await store.head('a/b');
		t.deepEqual(
			objects.map(({key, etag, sizeBytes}) => ({key, etag, sizeBytes})),
			[{key: 'a/b', etag: head?.etag, sizeBytes: 3}],
		);
		t.is(Math.floor((objects[0]?.lastModifiedMs ?? 0) / 1000), Math.floor((head?.lastModifiedMs ?? 0) / 1000));
	});

	check('list() with a delimiter folds what lies deeper into prefixes', async (t, store) => {
		for (const key of ['d/', 'd/a', 'd/b/', 'd/b/c', 'd/e/f', 'd/e/g', 'd/h', 'dz', 'e']) {
			await store.put(key, bytes(''));
		}

		const root = await store.list({prefix: '', delimiter: '/'});
		t.deepEqual(
			[root.objects.map(({key}) => key), root.prefixes, root.continuationToken],
			[['dz', 'e'], ['d/'], undefined],
		);
		const below = await store.list({prefix: 'd/', delimiter: '/'});
		t.deepEqual(
			[below.objects.map(({key}) => key), below.prefixes],
			[
				['d/', 'd/a', 'd/h'],
				['d/b/', 'd/e/'],
			],
		);
		t.deepEqual(await listAll(store, {prefix: 'absent/', delimiter: '/'}), []);
	});

	check('list() goes on from page to page without gaps or repeats', async (t, store) => {
		const keys = Array.from(
			{length: 23},
			(_, index) => `p/${String(index).padStart(2, '0')}${index % 3 === 0 ? '/x' : ''}`,
		);
		await Promise.all(keys.flatMap(key => [store.put(key, bytes('')), store.put(`${key}+é`, bytes(''))]));
		const all = keys.flatMap(key => [key, `${key}+é`]).sort(compareKeys);
		for (const countMax of [1, 2, 7, 46, 1000]) {
			t.deepEqual(await listAll(store, {prefix: 'p/', countMax}), all);
			const folded = await listAll(store, {prefix: 'p/', delimiter: '/', countMax});
			t.deepEqual(folded, [...new Set(all.map(key => key.replace(/^(p\/[^/]*\/).*/, '$1')))]);
		}
	});

	check('list() with startAfter begins right after that key', async (t, store) => {
		for (const key of ['a', 'b', 'b/x', 'c', 'd']) {
			await store.put(key, bytes(''));
		}

		t.deepEqual(await listAll(store, {prefix: '', startAfter: 'b'}), ['b/x', 'c', 'd']);
		t.deepEqual(await listAll(store, {prefix: '', startAfter: 'bb'}), ['c', 'd']);
		t.deepEqual(await listAll(store, {prefix: '', startAfter: 'a', countMax: 1}), ['b', 'b/x', 'c', 'd']);
		t.deepEqual(await listAll(store, {prefix: '', startAfter: 'd'}), []);
	});

	check('list() sees a write and a deletion at once', async (t, store) => {
		for (let round = 0; round < 5; round++) {
			await store.put(`k${round}`, bytes(''));
			t.is((await listAll(store, {prefix: ''})).length, 1);
			await store.delete(`k${round}`);
			t.is((await listAll(store, {prefix: ''})).length, 0);
		}
	});

	check('delete() succeeds, also when there was nothing', async (t, store) => {
		await store.put('file', bytes('x'));
		await store.delete('file');
		await store.delete('file');
		t.is(await store.head('file'), undefined);
	});

	check('delete() and deleteMany() with an etag delete that version and no other', async (t, store) => {
		const old = await store.put('file', bytes('old'));
		const {etag} = await store.put('file', bytes('new'));
		await throwsCode(t, 'preconditionFailed', store.delete('file', {ifMatch: old.etag}));
		t.is(await toText(await store.get('file')), 'new');
		await store.delete('file', {ifMatch: etag});
		await store.delete('file', {ifMatch: etag});
		t.is(await store.head('file'), undefined);

		const first = await store.put('k/first', bytes('1'));
		await store.put('k/changed <&>', bytes('2'));
		const control = await store.put('k/control\u0001', bytes('3'));
		await store.put('k/any', bytes('4'));
		const failed = await store.deleteMany([
			{key: 'k/first', etag: first.etag},
			{key: 'k/changed <&>', etag: first.etag},
			{key: 'k/control\u0001', etag: control.etag},
			{key: 'k/absent', etag: first.etag},
			{key: 'k/any'},
		]);
		t.deepEqual(
			failed.map(({key, error}) => [key, isStoreError(error, 'preconditionFailed')]),
			[['k/changed <&>', true]],
		);
		t.deepEqual(await listAll(store, {prefix: 'k/'}), ['k/changed <&>']);
	});

	check('deleteMany() deletes what is there and does not mind what is not', async (t, store) => {
		const keys = Array.from({length: 30}, (_, index) => `k/${index}`);
		await Promise.all(keys.map(key => store.put(key, bytes(''))));
		t.deepEqual(await store.deleteMany([...keys, 'k/absent'].map(key => ({key}))), []);
		t.deepEqual(await store.deleteMany([]), []);
		t.deepEqual(await listAll(store, {prefix: ''}), []);
	});

	check('the checksums of pieces come with each answer, also of copies and of uploads in parts', checkBlockSums);

	check('copy() takes metadata along unless it is replaced', async (t, store) => {
		await store.put('from', bytes('content'), {metadata: {a: '1'}, contentType: 'text/plain'});
		const {etag} = await store.copy({key: 'from'}, 'to');
		t.like(await store.head('to'), {etag, sizeBytes: 7, metadata: {a: '1'}, contentType: 'text/plain'});
		await store.copy({key: 'from'}, 'to', {replace: {metadata: {b: '2'}, contentType: 'text/css'}});
		t.deepEqual((await store.head('to'))?.metadata, {b: '2'});
		t.is((await store.head('to'))?.contentType, 'text/css');
		await store.copy({key: 'from'}, 'from', {replace: {metadata: {c: '3'}}});
		t.deepEqual((await store.head('from'))?.metadata, {c: '3'});
		t.is(await toText(await store.get('from')), 'content');
		await t.throwsAsync(async () => store.copy({key: 'from'}, 'from'), {name: 'AssertionError'});
	});

	check('copy() fails when its source is gone or is another version', async (t, store) => {
		const {etag} = await store.put('from', bytes('one'));
		await throwsCode(t, 'notFound', store.copy({key: 'absent'}, 'to'));
		await store.copy({key: 'from', etag}, 'to');
		await store.put('from', bytes('two'));
		if (supports.conditionalCopySource) {
			await throwsCode(t, 'preconditionFailed', store.copy({key: 'from', etag}, 'to'));
		}

		t.is(await toText(await store.get('to')), 'one');
	});

	check(
		'copy() keeps a condition on its destination',
		async (t, store) => {
			await store.put('from', bytes('new'));
			await store.copy({key: 'from'}, 'to', {ifNoneMatch: '*'});
			await throwsCode(t, 'preconditionFailed', store.copy({key: 'from'}, 'to', {ifNoneMatch: '*'}));
			await throwsCode(
				t,
				'preconditionFailed',
				store.copy({key: 'from'}, 'to', {ifMatch: '00000000000000000000000000000000'}),
			);
			const current = await store.head('to');
			await store.copy({key: 'from'}, 'to', {ifMatch: current?.etag, replace: {metadata: {x: 'y'}}});
			t.deepEqual((await store.head('to'))?.metadata, {x: 'y'});
		},
		{isSupported: supports.conditionalCopy},
	);

	check(
		'a multipart upload becomes visible when it is completed, with the metadata of its beginning',
		async (t, store) => {
			const upload = await store.createMultipartUpload('large', {metadata: {a: '1'}, contentType: 'text/plain'});
			const first = patternOf(5 * mebibyte, 1);
			await store.uploadPart(upload, 1, patternOf(5 * mebibyte, 9));
			const parts = await Promise.all([
				store.uploadPart(upload, 1, first),
				store.uploadPart(upload, 7, [bytes('the '), bytes('end')]),
			]);
			t.is(await store.head('large'), undefined);
			const {etag} = await store.completeMultipartUpload(upload, parts);
			t.like(await store.head('large'), {
				etag,
				sizeBytes: 5 * mebibyte + 7,
				metadata: {a: '1'},
				contentType: 'text/plain',
			});
			t.is(etag, toMultipartEtag(parts.map(part => part.etag)));
			t.is(Buffer.compare(await toBytes(await store.get('large')), Buffer.concat([first, bytes('the end')])), 0);
			t.is(await toText(await store.get('large', {range: {start: 5 * mebibyte + 4, end: 5 * mebibyte + 7}})), 'end');
		},
	);

	check('uploadPartCopy() makes parts from ranges of an object', async (t, store) => {
		const source = patternOf(6 * mebibyte, 4);
		const {etag} = await store.put('source é+', source);
		const upload = await store.createMultipartUpload('large');
		const part1 = await store.uploadPartCopy(
			upload,
			1,
			{key: 'source é+', etag},
			{start: 100, end: 100 + 5 * mebibyte},
		);
		const part2 = await store.uploadPart(upload, 2, bytes('tail'));
		if (supports.conditionalCopySource) {
			await throwsCode(
				t,
				'preconditionFailed',
				store.uploadPartCopy(
					upload,
					3,
					{key: 'source é+', etag: '00000000000000000000000000000000'},
					{start: 0, end: 10},
				),
			);
		}

		await throwsCode(t, 'notFound', store.uploadPartCopy(upload, 3, {key: 'absent'}, {start: 0, end: 10}));
		await store.completeMultipartUpload(upload, [part1, part2]);
		t.is(
			Buffer.compare(
				await toBytes(await store.get('large')),
				Buffer.concat([source.subarray(100, 100 + 5 * mebibyte), bytes('tail')]),
			),
			0,
		);
	});

	check('completeMultipartUpload() refuses parts that are too small, unknown or out of order', async (t, store) => {
		const upload = await store.createMultipartUpload('large');
		const parts = [await store.uploadPart(upload, 1, bytes('small')), await store.uploadPart(upload, 2, bytes('last'))];
		await throwsCode(t, 'invalidRequest', store.completeMultipartUpload(upload, parts));
		await throwsCode(t, 'invalidRequest', store.completeMultipartUpload(upload, parts.toReversed()));
		await throwsCode(
			t,
			'invalidRequest',
			store.completeMultipartUpload(upload, [{partNumber: 3, etag: parts[0]!.etag}]),
		);
		t.is(await store.head('large'), undefined);
		await store.abortMultipartUpload(upload);
	});

	check(
		'completeMultipartUpload() again succeeds while its object is in place, and fails with notFound after that',
		async (t, store) => {
			const upload = await store.createMultipartUpload('large');
			const parts = [await store.uploadPart(upload, 1, bytes('only'))];
			const first = await store.completeMultipartUpload(upload, parts);
			t.is((await store.completeMultipartUpload(upload, parts)).etag, first.etag);
			await store.put('large', bytes('replaced'));
			await throwsCode(t, 'notFound', store.completeMultipartUpload({...upload, uploadId: 'unknown'}, parts));
			t.is(await toText(await store.get('large')), 'replaced');
		},
	);

	check(
		'completeMultipartUpload() keeps a condition',
		async (t, store) => {
			const {etag} = await store.put('file', bytes('there'));
			const upload = await store.createMultipartUpload('file');
			const parts = [await store.uploadPart(upload, 1, bytes('new'))];
			await throwsCode(t, 'preconditionFailed', store.completeMultipartUpload(upload, parts, {ifNoneMatch: '*'}));
			const second = await store.createMultipartUpload('file');
			const secondParts = [await store.uploadPart(second, 1, bytes('newer'))];
			await throwsCode(
				t,
				'preconditionFailed',
				store.completeMultipartUpload(second, secondParts, {ifMatch: '00000000000000000000000000000000'}),
			);
			t.is(await toText(await store.get('file')), 'there');
			const third = await store.createMultipartUpload('file');
			await store.completeMultipartUpload(third, [await store.uploadPart(third, 1, bytes('newest'))], {ifMatch: etag});
			t.is(await toText(await store.get('file')), 'newest');
		},
		{isSupported: supports.conditionalComplete},
	);

	check('abortMultipartUpload() frees the parts, and does not mind an unknown upload', async (t, store) => {
		const upload = await store.createMultipartUpload('large');
		const part = await store.uploadPart(upload, 1, bytes('x'));
		await store.abortMultipartUpload(upload);
		await store.abortMultipartUpload(upload);
		await throwsCode(t, 'notFound', store.uploadPart(upload, 1, bytes('x')));
		await throwsCode(t, 'notFound', store.completeMultipartUpload(upload, [part]));
		t.is(await store.head('large'), undefined);
	});

	check('a part number outside of 1 to 10,000 is a bug of the caller', async (t, store) => {
		const upload = await store.createMultipartUpload('large');
		await t.throwsAsync(async () => store.uploadPart(upload, 0, bytes('')), {name: 'AssertionError'});
		await t.throwsAsync(async () => store.uploadPart(upload, 10_001, bytes('')), {name: 'AssertionError'});
		await store.abortMultipartUpload(upload);
	});

	check(
		'metadata that HTTP headers cannot carry is a bug of the caller, and too much of it is refused',
		async (t, store) => {
			await t.throwsAsync(async () => store.put('file', bytes(''), {metadata: {Upper: 'x'}}), {name: 'AssertionError'});
			await t.throwsAsync(async () => store.put('file', bytes(''), {metadata: {key: 'é'}}), {name: 'AssertionError'});
			await t.throwsAsync(async () => store.put('file', bytes(''), {metadata: {key: 'line\nbreak'}}), {
				name: 'AssertionError',
			});
			await throwsCode(t, 'invalidRequest', store.put('file', bytes(''), {metadata: {key: 'x'.repeat(3000)}}));
			const metadata = {'file-permissions': '0100644', 'a.b-c-1': 'x y=z; "quoted", %20', empty: ''};
			await store.put('file', bytes(''), {metadata});
			t.like((await store.head('file'))?.metadata, {
				'file-permissions': metadata['file-permissions'],
				'a.b-c-1': metadata['a.b-c-1'],
			});
		},
	);

	check('an aborted signal ends every call with the code aborted', async (t, store) => {
		const signal = AbortSignal.abort(new Error('the caller went away'));
		await store.put('file', patternOf(mebibyte, 1));
		const upload = await store.createMultipartUpload('large');
		const calls = [
			store.head('file', {signal}),
			store.get('file', {signal}),
			store.list({prefix: '', signal}),
			store.put('file', bytes('x'), {signal}),
			store.copy({key: 'file'}, 'to', {signal}),
			store.delete('file', {signal}),
			store.deleteMany([{key: 'file'}], {signal}),
			store.createMultipartUpload('file', {signal}),
			store.uploadPart(upload, 1, bytes('x'), {signal}),
			store.uploadPartCopy(upload, 1, {key: 'file'}, {start: 0, end: 1}, {signal}),
			store.completeMultipartUpload(upload, [], {signal}),
			store.abortMultipartUpload(upload, {signal}),
		];
		for (const call of calls) {
			await throwsCode(t, 'aborted', call);
		}

		t.is((await store.head('file'))?.sizeBytes, mebibyte);
		await store.abortMultipartUpload(upload);
	});

	check('a signal aborted while the body is read ends the body', async (t, store) => {
		await store.put('large', patternOf(16 * mebibyte, 1));
		const controller = new AbortController();
		const answer = await store.get('large', {signal: controller.signal});
		const body = answer!.body[Symbol.asyncIterator](); // It was stored above.
		t.false((await body.next()).done);
		controller.abort();
		await throwsCode(
			t,
			'aborted',
			(async () => {
				while ((await body.next()).done !== true) {
					/* What had arrived before the abort may still come. */
				}
			})(),
		);
	});

	check(
		'versions that were replaced or deleted can still be read in a versioned bucket',
		async (t, store) => {
			const first = await store.put('file', bytes('one'));
			const second = await store.put('file', bytes('two'));
			t.truthy(first.versionId);
			t.not(first.versionId, second.versionId);
			await store.delete('file');
			t.is(await store.head('file'), undefined);
			t.is(await store.get('file'), undefined);
			t.deepEqual(await listAll(store, {prefix: ''}), []);
			const old = await store.get('file', {versionId: first.versionId, ifMatch: first.etag, range: {start: 0, end: 2}});
			t.is(await toText(old), 'on');
			t.is(old?.object.versionId, first.versionId);
			await throwsCode(t, 'preconditionFailed', store.get('file', {versionId: first.versionId, ifMatch: second.etag}));
			await store.copy({key: 'file', versionId: second.versionId}, 'file', {replace: {metadata: {restored: '1'}}});
			t.truthy((await store.head('file'))?.versionId);
			t.is(await toText(await store.get('file')), 'two');
			const created = await store.put('file-2', bytes('x'), {ifNoneMatch: '*'});
			await store.delete('file-2');
			t.not((await store.put('file-2', bytes('y'), {ifNoneMatch: '*'})).versionId, created.versionId);
		},
		{isSupported: supports.versioning, isVersioned: true},
	);

	check('calls after close() fail', async (t, store) => {
		await store.put('file', bytes('x'));
		await store.close();
		await throwsCode(t, 'invalidRequest', store.head('file'));
		await throwsCode(t, 'invalidRequest', store.put('file', bytes('y')));
	});
};

const throwsCode = async (t: ExecutionContext, code: StoreErrorCode, call: Promise<unknown>): Promise<void> => {
	const error = await t.throwsAsync(call, {name: 'StoreError'});
	t.true(isStoreError(error, code), `${isStoreError(error) ? error.code : 'no'} instead of ${code}: ${String(error)}`);
};

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** Bytes that differ from place to place, so that a shift or a swap shows. */
const patternOf = (byteCount: number, seed: number): Uint8Array => {
	const words = new Uint32Array(Math.ceil(byteCount / 4));
	let value = seed * 2_654_435_761;
	for (let index = 0; index < words.length; index++) {
		value = (Math.imul(value, 1_664_525) + 1_013_904_223) >>> 0;
		words[index] = value;
	}

	return new Uint8Array(words.buffer, 0, byteCount);
};
