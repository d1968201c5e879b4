/** The one user of this server, as S3's documents name owners. */
export const owner = {
	ID: '75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a',
	DisplayName: 'dev',
} as const;

/** The one access list that a bucket without ACLs has. */
export const accessControlPolicy = {
	Owner: owner,
	AccessControlList: {Grant: {Grantee: {...owner, Type: 'CanonicalUser'}, Permission: 'FULL_CONTROL'}},
} as const;
