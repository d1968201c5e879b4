import test from 'ava';
import {CallOutError, parseCallOut} from '../../src/flexvolume/parse-call-out.ts';

test('parseCallOut() reads init, mount and unmount', t => {
	t.deepEqual(parseCallOut(['init']), {operation: 'init'});
	t.deepEqual(parseCallOut(['mount', '/pods/1/v', '{}']), {operation: 'mount', path: '/pods/1/v', optionsJson: '{}'});
	t.deepEqual(parseCallOut(['unmount', '/pods/1/v']), {operation: 'unmount', path: '/pods/1/v'});
});

test('parseCallOut() knows every other call as unsupported', t => {
	for (const call of [
		'getvolumename',
		'attach',
		'waitforattach',
		'isattached',
		'detach',
		'mountdevice',
		'unmountdevice',
		'expandvolume',
		'expandfs',
		'Mount',
		'',
	]) {
		t.deepEqual(parseCallOut([call, 'x']), {operation: 'unsupported', call});
	}
});

test('parseCallOut() takes superfluous slashes out of a path', t => {
	t.like(parseCallOut(['unmount', '//pods//1/v/']), {path: '/pods/1/v'});
});

test('parseCallOut() refuses missing arguments and paths that are not plainly absolute', t => {
	for (const argv of [
		[],
		['mount'],
		['mount', '/pods/1/v'],
		['unmount'],
		['mount', 'pods/1/v', '{}'],
		['unmount', ''],
		['unmount', '/'],
		['unmount', '/pods/../etc'],
		['unmount', '/pods/./v'],
	]) {
		t.throws(() => parseCallOut(argv), {instanceOf: CallOutError}, argv.join(' '));
	}
});
