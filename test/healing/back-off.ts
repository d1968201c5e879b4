import test from 'ava';
import {isCrashLoop, nextStartAtMs, noBackOff, noteStart} from '../../src/healing/back-off.ts';

const hourMs = 3_600_000;

test('the first start is at once; later ones wait twice as long each time, and never longer than five minutes', t => {
	t.is(nextStartAtMs(noBackOff), 0);
	const waits: number[] = [];
	let backOff = noBackOff;
	for (let nowMs = hourMs; waits.length < 12; nowMs = nextStartAtMs(backOff)) {
		backOff = noteStart(backOff, nowMs);
		waits.push((nextStartAtMs(backOff) - nowMs) / 1000);
	}

	t.deepEqual(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
});

test('after ten minutes of health a death is a first one again', t => {
	let backOff = noBackOff;
	for (let count = 0; count < 5; count++) {
		backOff = noteStart(backOff, hourMs + count);
	}

	t.true(isCrashLoop(backOff));
	t.true(isCrashLoop(noteStart(backOff, hourMs + 300_000)));
	const later = noteStart(backOff, 2 * hourMs);
	t.false(isCrashLoop(later));
	t.is(nextStartAtMs(later), 2 * hourMs + 1000);
});
