/** A node policy that cannot be understood; the message says where and what, for who wrote it. */
export class PolicyError extends Error {
	override readonly name = 'PolicyError';

	/** `place`: the path in the file, such as `rules[0].namespaces`; empty for the whole. */
	constructor(place: string, wrong: string) {
		super(`The node policy is wrong${place === '' ? '' : ` at ${place}`}: ${wrong}`);
	}
}
