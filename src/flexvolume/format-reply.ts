import {toOneLine} from '../model/error-text.ts';

/** What a call came to. */
export type CallOutcome =
	| {readonly outcome: 'initialised'}
	| {readonly outcome: 'success'}
	| {readonly outcome: 'unsupported'}
	| {readonly outcome: 'failure'; readonly message: string};

/** Long enough for any message of ours; a pod's event is cut at 1024 bytes. */
const messageLengthMax = 900;

/**
Every capability in words: what is left out counts as true in the kubelet, but for `supportsMetrics`. `fsGroup`
would make it chown the whole bucket after each mount, `selinuxRelabel` walk it once more, `attach` wait for a
controller that has no driver. `driver/volume` answers `init` with this very text without starting us.
*/
const capabilities = {
	attach: false,
	selinuxRelabel: false,
	supportsMetrics: true,
	fsGroup: false,
	requiresFSResize: false,
} as const;

/** The one line of JSON that a call answers with; the newline is part of it. */
export const formatReply = (outcome: CallOutcome): string => `${JSON.stringify(toReply(outcome))}\n`;

const toReply = (outcome: CallOutcome): object => {
	switch (outcome.outcome) {
		case 'initialised': {
			return {status: 'Success', capabilities};
		}

		case 'success': {
			return {status: 'Success'};
		}

		case 'unsupported': {
			return {status: 'Not supported'};
		}

		case 'failure': {
			return {status: 'Failure', message: toReplyMessage(outcome.message)};
		}
	}
};

/** A text without line breaks and control characters, cut to what an event can show. */
export const toReplyMessage = (text: string): string => {
	const line = toOneLine(text);
	return line.length > messageLengthMax ? `${line.slice(0, messageLengthMax)}…` : line;
};
