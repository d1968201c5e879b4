import {S3Error} from './s3-error.ts';
import type {TextByName} from './storage/stored-state.ts';
import {childOf, childText, childrenOf, malformed, readXml} from './xml-reader.ts';
import {writeXml} from './xml-writer.ts';

/** Tags from pairs, by S3's rules for their names, values and number. */
export const parseTags = (pairs: ReadonlyArray<readonly [string, string]>, countMax: number): TextByName => {
	const tags: Record<string, string> = {};
	for (const [name, value] of pairs) {
		if (
			name === '' ||
			name.length > 128 ||
			value.length > 256 ||
			/^aws:/i.test(name) ||
			!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(name + value)
		) {
			throw new S3Error('InvalidTag', 'The TagKey or TagValue you have provided is invalid', {fields: {TagKey: name}});
		}

		if (Object.hasOwn(tags, name)) {
			throw new S3Error('InvalidTag', 'Cannot provide multiple Tags with the same key', {fields: {TagKey: name}});
		}

		tags[name] = value;
	}

	if (pairs.length > countMax) {
		throw new S3Error('InvalidTag', `Object tags cannot be greater than ${countMax}`);
	}

	return tags;
};

/** Tags from a `Tagging` document. */
export const parseTagDocument = (document: string, countMax: number): TextByName => {
	const tagSet = childOf(readXml(document, 'Tagging'), 'TagSet');
	if (tagSet === undefined) {
		throw malformed();
	}

	return parseTags(
		childrenOf(tagSet, 'Tag').map(tag => {
			const name = childText(tag, 'Key');
			const value = childText(tag, 'Value');
			if (name === undefined || value === undefined) {
				throw malformed();
			}

			return [name, value] as const;
		}),
		countMax,
	);
};

export const writeTagDocument = (tags: TextByName): string =>
	writeXml('Tagging', {TagSet: {Tag: Object.entries(tags).map(([name, value]) => ({Key: name, Value: value}))}});
