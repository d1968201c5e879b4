import test from 'ava';
import type {Entry} from '../../src/filesystem/namespace.ts';
import {Openings} from '../../src/filesystem/openings.ts';

const entry = {kind: 'object', path: 'f'} as Entry;
const opening = {path: 'f', entry, token: 1};

test('what a look-up found is taken once, by the thread that opens the path', t => {
	const openings = new Openings({now: () => 0});
	openings.note(7, opening);
	t.is(openings.take(8, 'f'), undefined);
	t.is(openings.take(undefined, 'f'), undefined);
	t.like(openings.take(7, 'f'), opening);
	t.is(openings.take(7, 'f'), undefined);
});

test('a thread that opens something else has left its opening', t => {
	const openings = new Openings({now: () => 0});
	openings.note(7, opening);
	t.is(openings.take(7, 'g'), undefined);
	t.is(openings.take(7, 'f'), undefined);
});

test('an opening that the kernel does not go on with is forgotten', t => {
	let nowMs = 0;
	const openings = new Openings({now: () => nowMs});
	openings.note(7, opening);
	nowMs = 500;
	t.is(openings.take(7, 'f'), undefined);
});
