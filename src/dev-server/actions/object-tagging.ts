import {xmlAnswer, type Action, type Call} from '../call.ts';
import {findObject, versionHeader} from '../object-answer.ts';
import {readDocument} from '../request-body.ts';
import type {TextByName} from '../storage/stored-state.ts';
import {parseTagDocument, writeTagDocument} from '../tags.ts';

const tagCountMax = 10;

export const getObjectTagging: Action = ({storage, target: {bucket: name, key, query}}) => {
	const bucket = storage.bucket(name);
	const object = findObject(bucket, key, query.get('versionId'));
	return xmlAnswer(writeTagDocument(object.tags), versionHeader(bucket, object.versionId));
};

export const putObjectTagging: Action = async call => {
	const tags = parseTagDocument((await readDocument(call)).text, tagCountMax);
	return {status: 200, headers: setTags(call, tags)};
};

export const deleteObjectTagging: Action = call => ({status: 204, headers: setTags(call, {})});

const setTags = ({storage, target: {bucket: name, key, query}}: Call, tags: TextByName) => {
	const bucket = storage.bucket(name);
	const {versionId} = findObject(bucket, key, query.get('versionId'));
	storage.commit({op: 'tags', bucket: name, key, versionId, tags});
	return versionHeader(bucket, versionId);
};
