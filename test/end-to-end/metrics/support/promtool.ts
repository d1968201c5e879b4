import {type Need} from '../../../support/needs.ts';
import {findProgram} from '../../../support/find-program.ts';

const found = process.env['PROMTOOL'] ?? findProgram('promtool');

export const promtoolPath = found ?? 'promtool';

export const promtool: Need = {
	what: 'promtool',
	missing: found === undefined ? 'there is no promtool (Debian: package prometheus) on this machine' : undefined,
};
