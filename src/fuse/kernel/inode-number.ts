/**
The inode number of a path: the same whenever the kernel asks, also in another daemon. 53 bits, which JavaScript and
every program with 64-bit inode numbers can hold; never 0 or 1, which mean nothing and the root. `salt` tells those
apart that have, or had, the same path at the same time.
*/
export const inodeNumberOf = (path: string, salt = 0): number => {
	// cyrb53 of bryc, in the public domain: two multiplicative hashes of 32 bits, mixed.
	let first = 0xde_ad_be_ef ^ salt;
	let second = 0x41_c6_ce_57 ^ salt;
	for (let index = 0; index < path.length; index++) {
		const code = path.charCodeAt(index);
		first = Math.imul(first ^ code, 2_654_435_761);
		second = Math.imul(second ^ code, 1_597_334_677);
	}

	first = Math.imul(first ^ (first >>> 16), 2_246_822_507) ^ Math.imul(second ^ (second >>> 13), 3_266_489_909);
	second = Math.imul(second ^ (second >>> 16), 2_246_822_507) ^ Math.imul(first ^ (first >>> 13), 3_266_489_909);
	const number = 4_294_967_296 * (second & 0x1f_ff_ff) + (first >>> 0);
	return number < 2 ? number + 2 : number;
};
