import {findProgram, type Need} from '../../../support/needs.ts';

const found = process.env['PROMTOOL'] ?? findProgram('promtool');

export const promtoolPath = found ?? 'promtool';

export const promtool: Need = {
	what: 'promtool',
	missing: found === undefined ? 'there is no promtool (Debian: package prometheus) on this machine' : undefined,
};
