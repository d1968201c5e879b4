import type {PodMount} from '../../node/volumes/volume-state.ts';
import type {Notice} from '../../healing/watch-message.ts';

/** What an Event is about. */
export type EventSubject = {
	readonly kind: 'Pod' | 'Node';
	/** Events of cluster-wide objects are kept in `default`. */
	readonly namespace: string;
	readonly name: string;
	readonly uid: string | undefined;
};

/** One Event and how often it came. */
export type EventRecord = {
	readonly subject: EventSubject;
	readonly notice: Pick<Notice, 'type' | 'reason' | 'message'>;
	readonly count: number;
	readonly firstAtMs: number;
	readonly lastAtMs: number;
};

const messageLengthMax = 1000;

/** The pods of a notice; the node when it concerns none, or none by name. */
export const toSubjects = ({pods}: Notice, nodeName: string): EventSubject[] => {
	const subjects = pods.flatMap(pod => toPodSubject(pod) ?? []);
	const distinct = [...new Map(subjects.map(subject => [subjectKey(subject), subject])).values()];
	// A node's Events carry its name as uid: the kubelet's do, and kubectl describe looks for that.
	return distinct.length > 0 || nodeName === ''
		? distinct
		: [{kind: 'Node', namespace: 'default', name: nodeName, uid: nodeName}];
};

export const subjectKey = ({kind, namespace, name, uid}: EventSubject): string =>
	[kind, namespace, name, uid ?? ''].join('/');

/** An Event of the core API: every version of Kubernetes shows these, and counts repetitions by `count`. */
export const toEvent = (
	{subject, notice, count, firstAtMs, lastAtMs}: EventRecord,
	{eventName, nodeName}: {eventName: string; nodeName: string},
): object => ({
	apiVersion: 'v1',
	kind: 'Event',
	metadata: {name: eventName, namespace: subject.namespace},
	involvedObject: {
		apiVersion: 'v1',
		kind: subject.kind,
		name: subject.name,
		...(subject.kind === 'Pod' ? {namespace: subject.namespace} : {}),
		...(subject.uid === undefined ? {} : {uid: subject.uid}),
	},
	type: notice.type,
	reason: notice.reason,
	message: notice.message.slice(0, messageLengthMax),
	count,
	firstTimestamp: toTime(firstAtMs),
	lastTimestamp: toTime(lastAtMs),
	source: {component: 'pnx-volume', ...(nodeName === '' ? {} : {host: nodeName})},
	reportingComponent: 'pnx-volume',
	reportingInstance: nodeName,
});

/** What changes when it comes again. */
export const toEventPatch = ({count, lastAtMs}: EventRecord): object => ({count, lastTimestamp: toTime(lastAtMs)});

/** Kubernetes' times of Events have whole seconds. */
const toTime = (atMs: number): string => new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z');

const toPodSubject = ({name, namespace, uid}: PodMount): EventSubject | undefined =>
	name === undefined || name === '' || namespace === undefined || namespace === ''
		? undefined
		: {kind: 'Pod', namespace, name, uid: uid === '' ? undefined : uid};
