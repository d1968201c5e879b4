import test from 'ava';
import {KnownMarkers} from '../../src/filesystem/known-markers.ts';

test('a marker is known for 30 s after it was seen, or until it is forgotten', t => {
	let nowMs = 1000;
	const markers = new KnownMarkers({now: () => nowMs});
	t.false(markers.has('d'));
	markers.note('d');
	nowMs += 29_999;
	t.true(markers.has('d'));
	t.false(markers.has('d/e'));
	nowMs += 1;
	t.false(markers.has('d'));
	markers.note('d');
	t.true(markers.has('d'));
	markers.forget('d');
	t.false(markers.has('d'));
});
