import type {ObjectHead} from '../../src/store/object-store.ts';

/** What S3 says of a version, but whether it is older than two seconds by now. */
export const withoutAge = (head: ObjectHead | undefined): ObjectHead | undefined => {
	if (head === undefined) {
		return undefined;
	}

	const {isSettled: _, ...rest} = head;
	return rest;
};
