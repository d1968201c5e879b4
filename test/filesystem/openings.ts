import {constants} from 'node:fs';
import test from 'ava';
import type {Entry} from '../../src/filesystem/namespace.ts';
import {parseOpenFlags} from '../../src/fuse/open-flags.ts';
import {Openings} from '../../src/filesystem/openings.ts';

const entry = {kind: 'object', path: 'f'} as Entry;
const flagsOf = (flags: number, threadId?: number) => ({...parseOpenFlags(flags), threadId});
const opening = {path: 'f', flags: flagsOf(constants.O_RDWR | constants.O_CREAT), entry, token: 1};

test('what a look-up found is taken once, by the thread that opens the path', t => {
	const openings = new Openings({now: () => 0});
	openings.note(7, opening);
	t.is(openings.take('f', flagsOf(constants.O_RDWR, 8)), undefined);
	t.is(openings.take('f', flagsOf(constants.O_RDWR, undefined)), undefined);
	t.like(openings.take('f', flagsOf(constants.O_RDWR, 7)), opening);
	t.is(openings.take('f', flagsOf(constants.O_RDWR, 7)), undefined);
});

test('an open that waits uses what another one asked after it had begun, and not what was asked before', t => {
	const openings = new Openings({now: () => 0});
	const before = openings.begin();
	const answer = {order: openings.begin(), entry, token: 1};
	const after = openings.begin();
	t.is(openings.answerSince('f', before), undefined);
	openings.noteAnswer('f', answer);
	t.is(openings.answerSince('f', before), answer);
	t.is(openings.answerSince('f', after), undefined);
	t.is(openings.answerSince('g', before), undefined);
});

test('a thread that opens something else has left its opening', t => {
	const openings = new Openings({now: () => 0});
	openings.note(7, opening);
	t.is(openings.take('g', flagsOf(constants.O_RDWR, 7)), undefined);
	t.is(openings.take('f', flagsOf(constants.O_RDWR, 7)), undefined);
});

test('an opening that the kernel does not go on with is forgotten', t => {
	let nowMs = 0;
	const openings = new Openings({now: () => nowMs});
	openings.note(7, opening);
	nowMs = 500;
	t.is(openings.take('f', flagsOf(constants.O_RDWR, 7)), undefined);
});

test('an open with other flags is not the one that began', t => {
	const openings = new Openings({now: () => 0});
	openings.note(7, opening);
	t.is(openings.take('f', flagsOf(constants.O_RDONLY, 7)), undefined, 'where writing was refused');
	openings.note(7, {...opening, flags: flagsOf(constants.O_RDWR | constants.O_CREAT | constants.O_EXCL)});
	t.is(openings.take('f', flagsOf(constants.O_RDWR, 7)), undefined);
});
