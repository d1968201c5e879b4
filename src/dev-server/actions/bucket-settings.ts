import {xmlAnswer, type Action} from '../call.ts';
import {S3Error, type S3ErrorCode} from '../s3-error.ts';
import {readDocument} from '../request-body.ts';
import {childOf, childText, childrenOf, malformed, readXml, type XmlElement} from '../xml-reader.ts';
import {parseTagDocument, writeTagDocument} from '../tags.ts';
import {writeXml, type XmlContent} from '../xml-writer.ts';

/** A document that a bucket keeps: how it is checked, and what a GET says when there is none. */
type BucketSetting = {
	/** Checks a document and gives it as it is kept, with what else is derived from it. */
	readonly parse: (document: string) => {
		readonly value: string;
		readonly derived?: Readonly<Record<string, string | undefined>>;
	};
	/** What a new bucket has, or the code and text of the refusal. */
	readonly absent: {readonly value: string} | {readonly code: S3ErrorCode; readonly message: string};
	readonly contentType?: string;
};

const oneOf = (element: XmlElement | undefined, values: readonly string[]): string => {
	if (element === undefined || !values.includes(element.text)) {
		throw malformed();
	}

	return element.text;
};

const blockNames = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'];

const settings = {
	tagging: {
		parse: document => ({value: writeTagDocument(parseTagDocument(document, 50))}),
		absent: {code: 'NoSuchTagSet', message: 'The TagSet does not exist'},
	},
	encryption: {
		parse(document) {
			const rule = childOf(readXml(document, 'ServerSideEncryptionConfiguration'), 'Rule');
			const byDefault = rule === undefined ? undefined : childOf(rule, 'ApplyServerSideEncryptionByDefault');
			if (rule === undefined || byDefault === undefined) {
				throw malformed();
			}

			const algorithm = oneOf(childOf(byDefault, 'SSEAlgorithm'), ['AES256', 'aws:kms', 'aws:kms:dsse']);
			const key = childText(byDefault, 'KMSMasterKeyID');
			const bucketKey = childOf(rule, 'BucketKeyEnabled');
			return {
				value: encryptionDocument(
					algorithm,
					key,
					bucketKey === undefined ? 'false' : oneOf(bucketKey, ['true', 'false']),
				),
				derived: {'encryption.algorithm': algorithm, 'encryption.key': key},
			};
		},
		get absent() {
			return {value: encryptionDocument('AES256', undefined, 'false')};
		},
	},
	publicAccessBlock: {
		parse(document) {
			const root = readXml(document, 'PublicAccessBlockConfiguration');
			return {
				value: writeXml(
					root.name,
					Object.fromEntries(
						blockNames.map(name => [
							name,
							childOf(root, name) === undefined
								? 'false'
								: oneOf(childOf(root, name), ['true', 'false', 'TRUE', 'FALSE']).toLowerCase(),
						]),
					),
				),
			};
		},
		absent: {
			value: writeXml('PublicAccessBlockConfiguration', Object.fromEntries(blockNames.map(name => [name, true]))),
		},
	},
	ownershipControls: {
		parse(document) {
			const rule = childOf(readXml(document, 'OwnershipControls'), 'Rule');
			const ownership = oneOf(rule && childOf(rule, 'ObjectOwnership'), [
				'BucketOwnerPreferred',
				'ObjectWriter',
				'BucketOwnerEnforced',
			]);
			return {value: writeXml('OwnershipControls', {Rule: {ObjectOwnership: ownership}})};
		},
		absent: {value: writeXml('OwnershipControls', {Rule: {ObjectOwnership: 'BucketOwnerEnforced'}})},
	},
	lifecycle: {
		parse(document) {
			const root = readXml(document, 'LifecycleConfiguration');
			const rules = childrenOf(root, 'Rule');
			for (const rule of rules) {
				oneOf(childOf(rule, 'Status'), ['Enabled', 'Disabled']);
				if (
					(childOf(rule, 'Filter') ?? childOf(rule, 'Prefix')) === undefined ||
					(childText(rule, 'ID') ?? '').length > 255
				) {
					throw malformed();
				}
			}

			if (rules.length === 0 || rules.length > 1000) {
				throw malformed();
			}

			return {value: writeXml(root.name, toContent(root))};
		},
		absent: {code: 'NoSuchLifecycleConfiguration', message: 'The lifecycle configuration does not exist'},
	},
	policy: {
		parse(document) {
			assertPolicy(document);
			return {value: document};
		},
		absent: {code: 'NoSuchBucketPolicy', message: 'The bucket policy does not exist'},
		contentType: 'application/json',
	},
} as const satisfies Record<string, BucketSetting>;

export type BucketSettingName = keyof typeof settings;

export const getBucketSetting =
	(name: BucketSettingName): Action =>
	({storage, target}) => {
		const bucket = storage.bucket(target.bucket);
		const setting: BucketSetting = settings[name];
		const value = bucket.settings.get(name) ?? ('value' in setting.absent ? setting.absent.value : undefined);
		if (value === undefined && 'code' in setting.absent) {
			throw new S3Error(setting.absent.code, setting.absent.message, {fields: {BucketName: bucket.name}});
		}

		return xmlAnswer(value ?? '', setting.contentType === undefined ? {} : {'content-type': setting.contentType});
	};

export const putBucketSetting =
	(name: BucketSettingName, status: number): Action =>
	async call => {
		const {storage, target} = call;
		storage.bucket(target.bucket);
		const {value, derived = {}} = (settings[name] as BucketSetting).parse((await readDocument(call)).text);
		const {name: bucket} = storage.bucket(target.bucket);
		storage.commit(
			...Object.entries({[name]: value, ...derived}).map(
				([name, value]) => ({op: 'setting', bucket, name, value}) as const,
			),
		);
		return {status};
	};

export const deleteBucketSetting =
	(name: BucketSettingName): Action =>
	({storage, target}) => {
		const {name: bucket, settings: kept} = storage.bucket(target.bucket);
		const names = [...kept.keys()].filter(candidate => candidate === name || candidate.startsWith(`${name}.`));
		storage.commit(...names.map(name => ({op: 'setting', bucket, name}) as const));
		return {status: 204};
	};

const encryptionDocument = (algorithm: string, key: string | undefined, bucketKeyEnabled: string): string =>
	writeXml('ServerSideEncryptionConfiguration', {
		Rule: {
			ApplyServerSideEncryptionByDefault: {SSEAlgorithm: algorithm, KMSMasterKeyID: key},
			BucketKeyEnabled: bucketKeyEnabled,
		},
	});

const toContent = ({text, children}: XmlElement): XmlContent => {
	if (children.length === 0) {
		return text;
	}

	const content: Record<string, XmlContent[]> = {};
	for (const child of children) {
		(content[child.name] ??= []).push(toContent(child));
	}

	return content;
};

const assertPolicy = (document: string): void => {
	try {
		const policy: unknown = JSON.parse(document);
		if (typeof policy === 'object' && policy !== null && 'Statement' in policy) {
			return;
		}
	} catch (cause) {
		throw Object.assign(new S3Error('MalformedPolicy', "Policies must be valid JSON and the first byte must be '{'"), {
			cause,
		});
	}

	throw new S3Error('MalformedPolicy', 'Missing required field Statement');
};
