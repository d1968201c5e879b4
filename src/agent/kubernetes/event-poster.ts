import {randomBytes} from 'node:crypto';
import {setTimeout as delay} from 'node:timers/promises';
import type {Notice} from '../../healing/watch-message.ts';
import {BoundedMap} from '../../model/bounded-map.ts';
import type {Logger} from '../../observability/logger.ts';
import {subjectKey, toEvent, toEventPatch, toSubjects, type EventRecord} from './event-object.ts';
import {KubernetesError, type KubernetesClient} from './kubernetes-client.ts';

export type EventPosterOptions = {
	readonly client: KubernetesClient;
	readonly nodeName: string;
	readonly log: Pick<Logger, 'warn'>;
	/** What is the same within this time is one Event that is counted up. */
	readonly sameEventMs?: number;
	/** At most one call in this time, once the burst is used up. */
	readonly callIntervalMs?: number;
};

/**
Tells Kubernetes what users of volumes must know: an Event for each pod of a notice. Never in the way of who calls.
*/
export type EventPoster = {
	post(notice: Notice): void;
	/** Drops what is still to be sent. */
	close(): Promise<void>;
};

type Tracked = EventRecord & {readonly eventName: string; isSent: boolean; sentCount: number; attemptCount: number};

const trackedCountMax = 500;
const burstCount = 25;
const attemptCountMax = 6;
const firstRetryMs = 1000;
const retryMsMax = 60_000;

/**
Events that repeat are counted up instead of sent again, and calls are bounded in number: a node full of sick
volumes must not trouble the API server. What it does not take after some tries is dropped, with a line in the log;
the notice itself is in the log anyway.
*/
export const createEventPoster = ({
	client,
	nodeName,
	log,
	sameEventMs = 600_000,
	callIntervalMs = 5000,
}: EventPosterOptions): EventPoster => {
	const tracked = new BoundedMap<string, Tracked>({countMax: trackedCountMax});
	const queue = new Set<string>();
	const closing = new AbortController();
	let budget = burstCount;
	let budgetAtMs = performance.now();
	let worker: Promise<void> | undefined;

	const takeBudget = async (): Promise<void> => {
		const nowMs = performance.now();
		budget = Math.min(burstCount, budget + (nowMs - budgetAtMs) / callIntervalMs);
		budgetAtMs = nowMs;
		if (budget < 1) {
			await delay(callIntervalMs * (1 - budget), undefined, {signal: closing.signal});
			return takeBudget();
		}

		budget--;
	};

	const send = async (record: Tracked): Promise<void> => {
		const {subject, eventName, count, isSent} = record;
		const path = `/api/v1/namespaces/${encodeURIComponent(subject.namespace)}/events`;
		await (isSent
			? client.call({method: 'PATCH', path: `${path}/${eventName}`, body: toEventPatch(record), signal: closing.signal})
			: client.call({method: 'POST', path, body: toEvent(record, {eventName, nodeName}), signal: closing.signal}));
		record.isSent = true;
		record.sentCount = count;
		record.attemptCount = 0;
	};

	/** One after the other: the order of Events is that of the notices. */
	const work = async (): Promise<void> => {
		for (const key of queue) {
			const record = tracked.get(key);
			if (record === undefined || record.sentCount === record.count) {
				queue.delete(key);
				continue;
			}

			await takeBudget();
			try {
				await send(record);
				queue.delete(key);
				// Not of `record`: another one may have taken its place while it was sent.
				const current = tracked.get(key);
				if (current !== undefined && current.sentCount !== current.count) {
					queue.add(key);
				}
			} catch (error) {
				closing.signal.throwIfAborted();
				await considerRetry(key, record, error);
			}
		}
	};

	const considerRetry = async (key: string, record: Tracked, error: unknown): Promise<void> => {
		const isGone = error instanceof KubernetesError && error.status === 404 && record.isSent;
		record.attemptCount++;
		if (isGone) {
			// The API server forgets Events after an hour or so: it becomes a new one.
			record.isSent = false;
			return;
		}

		if (error instanceof KubernetesError && error.status === 409 && !record.isSent) {
			// An earlier try was taken, and its answer got lost.
			record.isSent = true;
			return;
		}

		if ((error instanceof KubernetesError && error.isFinal) || record.attemptCount >= attemptCountMax) {
			queue.delete(key);
			tracked.delete(key);
			log.warn({err: error, reason: record.notice.reason, subject: subjectKey(record.subject)}, 'event not posted');
			return;
		}

		await delay(Math.min(retryMsMax, firstRetryMs * 2 ** (record.attemptCount - 1)), undefined, {
			signal: closing.signal,
		});
	};

	const start = (): void => {
		worker ??= (async () => {
			try {
				while (queue.size > 0) {
					await work();
				}
			} catch (error) {
				if (!closing.signal.aborted) {
					log.warn({err: error}, 'event not posted');
				}
			} finally {
				worker = undefined;
			}
		})();
	};

	return {
		post(notice) {
			for (const subject of toSubjects(notice, nodeName)) {
				const key = JSON.stringify([subjectKey(subject), notice.type, notice.reason, notice.message]);
				const known = tracked.get(key);
				const isSame = known !== undefined && notice.atMs - known.lastAtMs < sameEventMs;
				const dropped = tracked.set(
					key,
					isSame
						? Object.assign(known, {count: known.count + 1, lastAtMs: notice.atMs})
						: {
								subject,
								notice,
								count: 1,
								firstAtMs: notice.atMs,
								lastAtMs: notice.atMs,
								eventName: toEventName(subject.name),
								isSent: false,
								sentCount: 0,
								attemptCount: 0,
							},
				);
				queue.add(key);
				for (const [droppedKey, record] of dropped) {
					if (queue.delete(droppedKey)) {
						log.warn({reason: record.notice.reason}, 'event dropped, as too many wait for the API server');
					}
				}
			}

			if (!closing.signal.aborted) {
				start();
			}
		},
		async close() {
			closing.abort();
			await worker;
		},
	};
};

/** As those of other components: the object's name, a dot, and something that no other Event has. */
const toEventName = (name: string): string =>
	`${name.slice(0, 220).replace(/[^a-z\d]+$/, '')}.${randomBytes(8).toString('hex')}`;
