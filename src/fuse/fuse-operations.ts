import type Fuse from 'fuse-native';
import {FuseSession, type FuseSessionOptions} from './fuse-session.ts';
import {createAttributeOperations} from './operations/attribute-operations.ts';
import {createContentOperations} from './operations/content-operations.ts';
import {createDirectoryOperations} from './operations/directory-operations.ts';
import {createNameOperations} from './operations/name-operations.ts';
import {createOpenOperations} from './operations/open-operations.ts';
import {createRangeOperations} from './operations/range-operations.ts';
import {createXattrOperations} from './operations/xattr-operations.ts';

/**
The table of operations that libfuse calls. What is not in it the kernel does by itself: flock(2) and fcntl(2) locks
hold between the processes of this node, access(2) follows from the attributes (`default_permissions`), seeking
knows no holes.
*/
export const createFuseOperations = (options: FuseSessionOptions & {readonly hasExtendedAttributes: boolean}) => {
	const session = new FuseSession(options);
	return {
		...createAttributeOperations(session),
		...createOpenOperations(session),
		...createContentOperations(session),
		...createRangeOperations(session),
		...createNameOperations(session),
		...createDirectoryOperations(session),
		...(options.hasExtendedAttributes ? createXattrOperations(session) : {}),
	} satisfies Fuse.OPERATIONS;
};
