import test from 'ava';
import {inHeader, requestForms, type RequestName} from '../../../src/fuse/kernel/protocol.ts';
import {parseRequest, ProtocolError} from '../../../src/fuse/kernel/request.ts';
import {createRandomSource, testSeed} from '../../support/random-source.ts';
import {fakeRequest} from './support/fake-request.ts';

test('a request has its header, its structure, its names and its data', t => {
	const bytes = fakeRequest('setxattr', {
		header: {unique: 8, nodeid: 5, uid: 1000, gid: 100, pid: 77},
		body: {size: 3, flags: 1},
		strings: ['user.näme'],
		data: Buffer.from('abc'),
	});
	const request = parseRequest(bytes);
	t.like(request, {name: 'setxattr', unique: 8, nodeId: 5, uid: 1000, gid: 100, threadId: 77});
	t.like(request, {body: {size: 3, flags: 1}, strings: ['user.näme']});
	t.is(Buffer.from('data' in request ? request.data : []).toString(), 'abc');
	t.like(parseRequest(fakeRequest('rename2', {body: {newdir: 9, flags: 1}, strings: ['a', 'b']})), {
		body: {newdir: 9},
		strings: ['a', 'b'],
	});
});

test('bytes that are not UTF-8 become U+FFFD, which no name may have', t => {
	const bytes = fakeRequest('lookup', {data: Buffer.from([0x61, 0xff, 0x62, 0])});
	t.like(parseRequest(bytes), {strings: ['a\uFFFDb']});
});

test('extensions behind the body are no part of it', t => {
	const bytes = fakeRequest('write', {
		header: {extensionLength: 1},
		body: {size: 4},
		data: Buffer.from('abcd12345678'),
	});
	const request = parseRequest(bytes);
	t.is(Buffer.from('data' in request ? request.data : []).toString(), 'abcd');
	t.throws(() => parseRequest(fakeRequest('statfs', {header: {extensionLength: 1}})), {instanceOf: ProtocolError});
});

test('an operation that is not known has a number to be answered by', t => {
	const bytes = Buffer.from(fakeRequest('statfs', {header: {unique: 12}}));
	bytes.writeUInt32LE(4711, 4);
	t.like(parseRequest(bytes), {name: undefined, opcode: 4711, unique: 12});
});

test('a request that is cut off anywhere, or says another length, is an error and nothing else', t => {
	for (const name of Object.keys(requestForms) as RequestName[]) {
		const form: {opcode: number; stringCount?: number} = requestForms[name];
		const strings = Array.from({length: form.stringCount ?? 0}, () => 'name');
		const whole = fakeRequest(name, {strings});
		t.is(parseRequest(whole).name, name);
		for (let length = 0; length < whole.length; length++) {
			t.throws(() => parseRequest(whole.subarray(0, length)), {instanceOf: ProtocolError}, `${name} of ${length}`);
			if (length >= inHeader.bytes) {
				const honest = Buffer.from(whole.subarray(0, length));
				honest.writeUInt32LE(length, 0);
				t.throws(() => parseRequest(honest), {instanceOf: ProtocolError}, `${name} that says ${length}`);
			}
		}
	}
});

test('whatever bytes come, the parser reads none outside of them and throws nothing but a ProtocolError', t => {
	const seed = testSeed();
	const random = createRandomSource(seed);
	const names = Object.keys(requestForms) as RequestName[];
	const surroundings = 64;
	let parsedCount = 0;
	for (let round = 0; round < 20_000; round++) {
		const name = random.pick(names);
		const length = random.below(200);
		const inner = Buffer.from(
			fakeRequest(name, {data: Uint8Array.from({length}, () => random.below(random.chance(0.3) ? 2 : 256))}),
		);
		for (let count = random.below(4); count > 0; count--) {
			inner[random.below(inner.length)] = random.below(256);
		}

		// Zeros around it: a name that ends outside of the request would end there.
		const outer = Buffer.alloc(inner.length + 2 * surroundings);
		outer.set(inner, surroundings);
		const bytes = outer.subarray(surroundings, surroundings + inner.length);
		try {
			const request = parseRequest(bytes);
			parsedCount++;
			if (request.name === undefined) {
				continue;
			}

			const {data, strings} = request;
			const used = strings.reduce((sum, text) => sum + text.length + 1, data.length);
			const isInside =
				data.byteOffset >= bytes.byteOffset && data.byteOffset + data.length <= bytes.byteOffset + bytes.length;
			if (!isInside || used > bytes.length) {
				t.fail(`seed ${seed}, round ${round}: ${name} reaches outside`);
				return;
			}
		} catch (error) {
			if (!(error instanceof ProtocolError)) {
				t.fail(`seed ${seed}, round ${round}: ${String(error)} for ${inner.toString('hex')}`);
				return;
			}
		}
	}

	t.true(parsedCount > 1000, `Only ${parsedCount} requests could be parsed: the fuzzer tells nothing`);
});
