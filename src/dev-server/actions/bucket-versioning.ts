import {xmlAnswer, type Action} from '../call.ts';
import {readDocument} from '../request-body.ts';
import {childText, malformed, readXml} from '../xml-reader.ts';
import {writeXml} from '../xml-writer.ts';

export const getBucketVersioning: Action = ({storage, target}) => {
	const {versioning} = storage.bucket(target.bucket);
	return xmlAnswer(writeXml('VersioningConfiguration', versioning === '' ? {} : {Status: versioning}));
};

/** Once on, versioning can be suspended but never taken back. */
export const putBucketVersioning: Action = async call => {
	const {storage, target} = call;
	storage.bucket(target.bucket);
	const status = childText(readXml((await readDocument(call)).text, 'VersioningConfiguration'), 'Status');
	if (status !== 'Enabled' && status !== 'Suspended') {
		throw malformed();
	}

	storage.commit({op: 'setting', bucket: storage.bucket(target.bucket).name, name: 'versioning', value: status});
	return {status: 200};
};
