import {createMemoryObjectStore} from '../../store/doubles/memory-object-store.ts';
import {objectStoreContract} from './support/object-store-contract.ts';

objectStoreContract({
	name: 'memory',
	createStore: async (_t, {isVersioned}) => createMemoryObjectStore({isVersioned}),
	supports: {
		conditionalCopy: true,
		conditionalComplete: true,
		conditionalCopySource: true,
		ifMatchTellsAbsence: true,
		versioning: true,
	},
});
