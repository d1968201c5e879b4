/**
What root's daemon keeps of root's powers, whichever way it is launched (capabilities(7)):

- `SYS_ADMIN`: mount(2) and umount(2) of its file system, and the limits of its connection in /sys/fs/fuse.
- `SYS_PTRACE` and `DAC_READ_SEARCH`: /proc/<pid>/fd and /proc/<pid>/syscall of the process that an operation comes
from, and of /proc/<pid>/mem the path that it gave to open(2); and directories of other users on the way to a mount that
was made by hand, and files with credentials.
- `LINUX_IMMUTABLE`: to take the mark off its mount point's directory when it ends by itself.

It may read what root may, and write only what is root's own.
*/
export const daemonCapabilities = ['SYS_ADMIN', 'SYS_PTRACE', 'DAC_READ_SEARCH', 'LINUX_IMMUTABLE'] as const;

/** For setpriv(1): no program that it starts gets more, nor the same by inheritance. */
export const setprivArguments: readonly string[] = [
	'--no-new-privs',
	'--inh-caps=-all',
	`--bounding-set=-all,${daemonCapabilities.map(name => `+${name.toLowerCase()}`).join(',')}`,
];
