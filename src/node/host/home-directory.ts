import {homedir} from 'node:os';

/**
The home directory, in which the AWS SDK looks for profiles. A kubelet sets no `HOME`; on a host whose /etc/passwd
is missing, or does not know the user, there is no other answer either, and asking for it throws. Such a user has no
files, so any directory will do.
*/
export const findHomeDirectory = (): string => {
	try {
		return homedir();
	} catch {
		return '/';
	}
};
