/**
What a machine of CI may be without, and why: tests that need it are skipped there. Without anything else they fail.
*/
export const allowedSkips: Readonly<Record<string, string>> = {
	'an S3 server of its own': 'the tests of test/end-to-end/rgw: `npm run test:rgw` starts a Ceph RGW and runs them',
	'conditions on copies and completions': 'Ceph 16 ignores them; test/end-to-end/rgw/object-store.ts says which',
	cgroups: 'a container of CI may have its cgroups read-only',
	'immutable directories': 'overlayfs and tmpfs have none',
	kubectl: 'Debian has no version that knows these kustomizations',
	promtool: 'Debian has it only in the package of the whole server',
	systemd: 'a container of CI may neither make cgroups nor boot one',
};
