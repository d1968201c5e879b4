import test from 'ava';
import type {ObjectHead} from '../../src/store/object-store.ts';
import {hasSameBytes, isAppendedTo} from '../../src/upload/write-id.ts';

const toHead = (etag: string, sizeBytes: number, writeIds?: readonly string[]): ObjectHead => ({
	key: 'file',
	etag,
	sizeBytes,
	lastModifiedMs: 0,
	metadata: {},
	contentType: undefined,
	...(writeIds === undefined ? {} : {writeIds}),
});

/** Where an append begins, as ids have it. */
const at = (offset: number): string => offset.toString(36);

const before = toHead('1', 100, ['b', 'a']);

test('isAppendedTo() knows appends by their ids, however many', t => {
	t.true(isAppendedTo(before, toHead('2', 150, [`c.${at(100)}`, 'b', 'a'])));
	t.true(isAppendedTo(before, toHead('2', 150, [`d.${at(120)}`, `c.${at(100)}`, 'b', 'a'])));
	t.true(isAppendedTo(before, toHead('2', 150, [`c.${at(100)}`, 'b'])), 'the last ones only');
});

test('isAppendedTo() takes nothing else for an append', t => {
	t.false(isAppendedTo(before, toHead('2', 150, ['c', 'b', 'a'])), 'written otherwise');
	t.false(isAppendedTo(before, toHead('2', 150, [`d.${at(120)}`, 'c', 'b', 'a'])), 'written otherwise and appended to');
	t.false(isAppendedTo(before, toHead('2', 150, [`c.${at(100)}`, 'x', 'a'])), 'appended to another version');
	t.false(isAppendedTo(before, toHead('2', 150, [`c.${at(100)}`, 'b', 'x'])), 'the same append to another version');
	t.false(isAppendedTo(before, toHead('2', 150, [`c.${at(90)}`, 'b', 'a'])), 'appended to a shorter one');
	t.false(isAppendedTo(before, toHead('2', 100, ['b', 'a'])), 'the same writes');
	t.false(isAppendedTo(before, toHead('2', 150)), 'by another S3 client');
	t.false(isAppendedTo(toHead('1', 100), toHead('2', 150, [`c.${at(100)}`])), 'to what another S3 client wrote');
});

test('hasSameBytes() knows copies by their ids', t => {
	t.true(hasSameBytes(before, toHead('1', 100)), 'the same object');
	t.true(hasSameBytes(before, toHead('2', 100, ['b', 'a'])));
	t.true(hasSameBytes(before, toHead('2', 100, ['b'])), 'the last ones only');
	t.false(hasSameBytes(before, toHead('2', 100, ['c', 'b', 'a'])));
	t.false(hasSameBytes(before, toHead('2', 100, ['b', 'x'])));
	t.false(hasSameBytes(before, toHead('2', 101, ['b', 'a'])));
	t.false(hasSameBytes(toHead('1', 100), toHead('2', 100)), 'nothing is known');
	t.false(hasSameBytes(undefined, toHead('2', 100)));
});
