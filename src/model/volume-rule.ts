/**
What the node policy leaves to be held where the bucket and its server can be asked. A volume that is mounted by hand
has none. A `remedy` says what in the policy would allow it, and ends the refusal.
*/
export type VolumeRule = {
	/** The bucket must be one that we made for this namespace, as its tags say. Absent: whatever the credentials open. */
	readonly ownedBy?: {readonly namespace: string; readonly remedy: string} | undefined;
	/** The cluster that this node is of, for the tags: the same namespace of another cluster is somebody else. */
	readonly cluster?: string | undefined;
	/** A bucket that is not there is an error, whatever the option `provision` says. */
	readonly creationForbidden?: {readonly remedy: string} | undefined;
	/** The endpoint's name must not lead to this node itself, or to its metadata service. */
	readonly isLocalEndpointRefused?: boolean | undefined;
};
