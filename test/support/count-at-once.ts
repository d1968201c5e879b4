import {setTimeout as delay} from 'node:timers/promises';
import type {ObjectStore} from '../../src/store/object-store.ts';

/** A store that counts how many calls of one method are on their way at once: each waits for others a while. */
export const countAtOnce = (
	inner: ObjectStore,
	method: keyof ObjectStore,
): {readonly store: ObjectStore; readonly most: () => number} => {
	let [count, most] = [0, 0];
	const store = new Proxy(inner, {
		get(target, name) {
			const value: unknown = Reflect.get(target, name);
			if (typeof value !== 'function') {
				return value;
			}

			const call = (value as (...argv: unknown[]) => unknown).bind(target);
			return name !== method
				? call
				: async (...argv: unknown[]) => {
						most = Math.max(most, ++count);
						await delay(20);
						try {
							return await call(...argv);
						} finally {
							count--;
						}
					};
		},
	});
	return {store, most: () => most};
};
