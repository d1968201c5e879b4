/**
Why a bucket cannot have this name, for people; `undefined` when it can. The rules are those of the Amazon S3 User
Guide, "General purpose bucket naming rules".
*/
export const checkBucketName = (name: string): string | undefined => {
	const shown = name.replaceAll(/[\0-\u001F\u007F]/g, '?').slice(0, 80);
	for (const {isBroken, rule} of rules) {
		if (isBroken(name)) {
			return `"${shown}" cannot be a bucket name: ${rule}`;
		}
	}

	return undefined;
};

const rules: ReadonlyArray<{readonly isBroken: (name: string) => boolean; readonly rule: string}> = [
	{isBroken: name => name === '', rule: 'it is empty; set the option "name"'},
	{isBroken: name => name.length < 3 || name.length > 63, rule: 'it must have 3 to 63 characters'},
	{isBroken: name => /[A-Z]/.test(name), rule: 'it must be in lower case'},
	{isBroken: name => name.includes('_'), rule: 'it must not have underscores; use hyphens'},
	{isBroken: name => /[^a-z\d.-]/.test(name), rule: 'it must be of lower-case letters, digits, dots and hyphens'},
	{isBroken: name => !/^[a-z\d].*[a-z\d]$/.test(name), rule: 'it must begin and end with a letter or a digit'},
	{isBroken: name => name.includes('..'), rule: 'it must not have two dots in a row'},
	{isBroken: name => /^\d+\.\d+\.\d+\.\d+$/.test(name), rule: 'it must not look like an IP address'},
	{
		isBroken: name => /^(?:xn--|sthree-|amzn-s3-demo-)/.test(name),
		rule: 'S3 reserves names that begin with "xn--", "sthree-" and "amzn-s3-demo-"',
	},
	{
		isBroken: name => /(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(name),
		rule: 'S3 reserves names that end in "-s3alias", "--ol-s3", ".mrap", "--x-s3" and "--table-s3"',
	},
];
