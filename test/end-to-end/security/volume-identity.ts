/** Mounts with the same id share one daemon: what was decided for one namespace must not be served to another. */
import test from 'ava';
import type {VolumeRule} from '../../../src/model/volume-rule.ts';
import {parseVolumeOptions} from '../../../src/model/volume-options.ts';
import {toVolumeId} from '../../../src/node/volumes/volume-id.ts';

const options = parseVolumeOptions({name: 'bucket-1'});
const idOf = (rule: VolumeRule | undefined) => toVolumeId({options, rule});

test('toVolumeId() differs for what a rule binds to a namespace, a cluster, or a kind of endpoint', t => {
	const ids = [
		idOf(undefined),
		idOf({ownedBy: {namespace: 'web', remedy: ''}}),
		idOf({ownedBy: {namespace: 'shop', remedy: ''}}),
		idOf({ownedBy: {namespace: 'web', remedy: ''}, cluster: 'a'}),
		idOf({ownedBy: {namespace: 'web', remedy: ''}, cluster: 'b'}),
		idOf({ownedBy: {namespace: 'web', remedy: ''}, isLocalEndpointRefused: true}),
		idOf({isLocalEndpointRefused: true}),
	];
	t.is(new Set(ids).size, ids.length);
});

test('toVolumeId() is one for all namespaces that may share a volume, and does not depend on words', t => {
	t.is(idOf({}), idOf(undefined));
	t.is(idOf({cluster: 'a', creationForbidden: {remedy: 'x'}}), idOf(undefined));
	t.is(idOf({ownedBy: {namespace: 'web', remedy: 'x'}}), idOf({ownedBy: {namespace: 'web', remedy: 'y'}}));
});
