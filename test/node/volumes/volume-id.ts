import test from 'ava';
import {parseVolumeOptions} from '../../../src/model/volume-options.ts';
import {toVolumeId} from '../../../src/node/volumes/volume-id.ts';

const options = parseVolumeOptions({name: 'bucket-1'});

test('toVolumeId() is the same for options that mean the same', t => {
	t.is(
		toVolumeId({options}),
		toVolumeId({options: parseVolumeOptions({name: 'bucket-1', 'metadata-ttl': '1000ms', region: 'us-east-1'})}),
	);
	t.regex(toVolumeId({options}), /^[0-9a-f]{16}$/);
});

test('toVolumeId() differs in everything that makes two mounts differ', t => {
	const credentials = {accessKeyId: 'a', secretAccessKey: 'b'};
	const ids = [
		toVolumeId({options}),
		toVolumeId({options: parseVolumeOptions({name: 'bucket-2'})}),
		toVolumeId({options: parseVolumeOptions({name: 'bucket-1', prefix: 'p'})}),
		toVolumeId({options: parseVolumeOptions({name: 'bucket-1', endpoint: 'http://s3'})}),
		toVolumeId({options: {...options, readOnly: true}}),
		toVolumeId({options, fsGroup: 33}),
		toVolumeId({options, fsGroup: 0}),
		toVolumeId({options, directory: '/mnt'}),
		toVolumeId({options, credentials}),
		toVolumeId({options, credentials: {...credentials, secretAccessKey: 'c'}}),
		toVolumeId({options, credentials: {...credentials, sessionToken: 't'}}),
	];
	t.is(new Set(ids).size, ids.length);
});

test('toVolumeId() is that of before the option transport for volumes that do not set it', t => {
	// Whoever adds an option: volumes that do not set it keep their id, or an upgrade does not find them.
	t.is(toVolumeId({options: {...options, transport: 'native'}}), 'd65dd924dd68b3ae');
	t.not(toVolumeId({options: {...options, transport: 'kernel'}}), 'd65dd924dd68b3ae');
});
