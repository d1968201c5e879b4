import test from 'ava';
import {HttpMessageReader} from '../../../bench/server/http-message-reader.ts';

const messages = [
	'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /',
	'GET /b HTTP/1.1\r\nHost: x\r\n\r\n',
	'PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;name=value\r\n\r\n\r\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n',
	'\r\nHEAD /d HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
	'PUT /e HTTP/1.1\r\nCONTENT-LENGTH:1\r\n\r\nx',
];
const expected = ['POST /a', 'end', 'GET /b', 'end', 'PUT /c', 'end', 'HEAD /d', 'end', 'PUT /e', 'end'];

const read = (data: string, pieceBytes: number): string[] => {
	const events: string[] = [];
	const reader = new HttpMessageReader({
		isOpenEnded: false,
		onHead({startLine}) {
			events.push(startLine.replace(' HTTP/1.1', ''));
			return {hasBody: true};
		},
		onEnd: () => events.push('end'),
	});
	for (let offset = 0; offset < data.length; offset += pieceBytes) {
		reader.push(Buffer.from(data.slice(offset, offset + pieceBytes), 'latin1'));
	}

	return events;
};

test('messages begin and end where their lengths and chunks say, however the bytes are cut', t => {
	const data = messages.join('');
	for (const pieceBytes of [1, 2, 3, 7, 64, data.length]) {
		t.deepEqual(read(data, pieceBytes), expected, `pieces of ${pieceBytes}`);
	}
});

test('an answer without a length ends with its connection, and one that may have no body at once', t => {
	const events: string[] = [];
	let hasBody = false;
	const reader = new HttpMessageReader({
		isOpenEnded: true,
		onHead: () => ({hasBody}),
		onEnd: () => events.push('end'),
	});
	reader.push(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n')); // To HEAD.
	t.deepEqual(events, ['end']);
	hasBody = true;
	reader.push(Buffer.from('HTTP/1.1 200 OK\r\n\r\nsome bytes\r\n\r\n'));
	t.deepEqual(events, ['end']);
	reader.close();
	t.deepEqual(events, ['end', 'end']);
});
