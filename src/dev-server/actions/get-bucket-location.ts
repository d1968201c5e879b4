import {xmlAnswer, type Action} from '../call.ts';
import {writeXml} from '../xml-writer.ts';

export const getBucketLocation: Action = ({storage, target}) => {
	const {region} = storage.bucket(target.bucket);
	return xmlAnswer(writeXml('LocationConstraint', region === 'us-east-1' ? undefined : region));
};
