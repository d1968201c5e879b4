import type {LaunchWay} from '../node-environment.ts';

/** How a daemon was launched, and what it runs: what ends with it, and what an installer must keep until then. */
export type DaemonLaunch = {
	readonly way: LaunchWay;
	/** The service of systemd that it is. */
	readonly unit?: string | undefined;
	/** The directory of its runtime, such as `/opt/pnx-volume/1.2.3`, without symbolic links. */
	readonly home: string;
	readonly version: string;
};
