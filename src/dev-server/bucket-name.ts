/**
Whether a bucket may have this name (Amazon S3 User Guide, "General purpose bucket naming rules"): 3 to 63 lower-case
letters, digits, dots and hyphens, no address, and none of the reserved beginnings and ends.
*/
export const isBucketName = (name: string): boolean =>
	/^[a-z\d][a-z\d.-]{1,61}[a-z\d]$/.test(name)
	&& !name.includes('..')
	&& !/^\d+\.\d+\.\d+\.\d+$/.test(name)
	&& !/^(?:xn--|sthree-|amzn-s3-demo-)/.test(name)
	&& !/(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(name);
