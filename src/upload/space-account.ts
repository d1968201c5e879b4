/** Disk space that is accounted for before it is used. */
export type SpaceAccount = {
	/** Fails with ENOSPC when so many bytes more are over the bound. */
	reserve(bytes: number): void;
	/** Accounts for bytes that an earlier run left, also over the bound. */
	adopt(bytes: number): void;
	release(bytes: number): void;
};
