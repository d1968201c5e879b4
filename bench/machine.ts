import os from 'node:os';

/** What the figures are of. */
export const describeMachine = (): string => {
	const cpus = os.cpus();
	return [
		`${cpus.length} x ${cpus[0]?.model.trim() ?? 'unknown CPU'}`,
		`${Math.round(os.totalmem() / 2 ** 30)} GiB`,
		`Linux ${os.release()}`,
		`Node.js ${process.version}`,
	].join(', ');
};

/** Others take part of the machine: its figures are worth little then. */
export const isBusy = (): boolean => (os.loadavg()[0] ?? 0) > os.cpus().length / 2;

export const formatLoad = (): string => (os.loadavg()[0] ?? 0).toFixed(1);
