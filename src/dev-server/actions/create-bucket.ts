import type {Action, Call} from '../call.ts';
import {toWholeSecondsMs} from '../new-version.ts';
import {readDocument} from '../request-body.ts';
import {S3Error} from '../s3-error.ts';
import {childOf, childText, readXml} from '../xml-reader.ts';
import {writeTagDocument, parseTags} from '../tags.ts';

/** A bucket lives in the region that its document names, which must be the request's own but in us-east-1. */
export const createBucket: Action = async call => {
	const {
		storage,
		target: {bucket: name},
		nowMs,
	} = call;
	const {text} = await readDocument(call);
	const configuration = text === '' ? undefined : readXml(text, 'CreateBucketConfiguration');
	const region = chooseRegion(
		call,
		configuration === undefined ? undefined : childText(configuration, 'LocationConstraint'),
	);
	const tagList = configuration === undefined ? undefined : childOf(configuration, 'Tags');
	const tags = parseTags(
		(tagList?.children ?? []).map(tag => [childText(tag, 'Key') ?? '', childText(tag, 'Value') ?? '']),
		50,
	);
	if (storage.findBucket(name) !== undefined) {
		throw new S3Error(
			'BucketAlreadyOwnedByYou',
			'Your previous request to create the named bucket succeeded and you already own it.',
			{fields: {BucketName: name}},
		);
	}

	storage.commit(
		{op: 'bucket', bucket: name, region, createdMs: toWholeSecondsMs(nowMs)},
		...(Object.keys(tags).length === 0
			? []
			: [{op: 'setting', bucket: name, name: 'tagging', value: writeTagDocument(tags)} as const]),
	);
	return {status: 200, headers: {location: `/${name}`}};
};

const chooseRegion = ({signature}: Call, constraint: string | undefined): string => {
	const wanted = constraint === 'EU' ? 'eu-west-1' : constraint;
	if (signature.region === 'us-east-1') {
		if (wanted === 'us-east-1' || (wanted !== undefined && !/^[a-z]{2,}(?:-[a-z\d]+)*$/.test(wanted))) {
			throw new S3Error('InvalidLocationConstraint', 'The specified location-constraint is not valid', {
				fields: {LocationConstraint: wanted},
			});
		}

		return wanted ?? 'us-east-1';
	}

	if (wanted !== signature.region) {
		throw new S3Error(
			'IllegalLocationConstraintException',
			wanted === undefined
				? 'The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.'
				: `The ${wanted} location constraint is incompatible for the region specific endpoint this request was sent to.`,
		);
	}

	return wanted;
};
