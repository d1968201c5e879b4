import {descriptorCountMax, oomScoreAdjustment, type MemoryLimits} from './daemon-limits.ts';
import {daemonCapabilities} from './daemon-privileges.ts';

/**
Properties of a daemon's service, as systemd-run(1) takes them. Nothing that gives the service a mount namespace may
be among them (ProtectSystem=, PrivateTmp= and their like): its mount would not appear on the node. Every user can
read all of them over D-Bus.
*/
export const toServiceProperties = ({
	memory,
	volumeDirectory,
}: {
	memory: MemoryLimits;
	volumeDirectory: string;
}): {essential: readonly string[]; hardening: readonly string[]} => ({
	essential: [
		'Type=simple',
		'StandardOutput=journal',
		'StandardError=journal',
		'SyslogIdentifier=pnx-volume',
		'UMask=0077',
		`MemoryHigh=${memory.highBytes}`,
		`MemoryMax=${memory.maxBytes}`,
		'TasksMax=256',
		`LimitNOFILE=${descriptorCountMax}`,
		'LimitCORE=0',
		`OOMScoreAdjust=${oomScoreAdjustment}`,
		`CapabilityBoundingSet=${daemonCapabilities.map(name => `CAP_${name}`).join(' ')}`,
		'NoNewPrivileges=yes',
		// Ended by SIGTERM, the daemon uploads what is left: it takes itself a minute for that.
		'KillMode=mixed',
		'TimeoutStopSec=90',
		// At shutdown units stop in the reverse order: pods first, then we, then the network and the file system with
		// the journal.
		'Before=kubepods.slice kubelet.service containerd.service crio.service docker.service',
		'After=network.target nss-lookup.target',
		...(isPlainPath(volumeDirectory) ? [`RequiresMountsFor=${volumeDirectory}`] : []),
	],
	hardening: [
		'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
		'RestrictRealtime=yes',
		'RestrictSUIDSGID=yes',
		'LockPersonality=yes',
		'SystemCallArchitectures=native',
		'SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @raw-io @reboot @swap',
	],
});

/** In the arguments of a service's command, systemd replaces variables. */
export const escapeArgument = (argument: string): string => argument.replaceAll('$', '$$$$');

/** Nothing that systemd would take for a quote, an escape or a specifier. */
export const isPlainPath = (path: string): boolean => /^\/[\w./:@+~-]*$/.test(path);
