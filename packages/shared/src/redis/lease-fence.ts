import { HoldfastError } from '../errors/index.js';
import type { ScriptReply } from './script.js';

/**
 * Lua for scripts with `p` that write for the run which holds the lease of syncs: ends the script, with nothing written, unless
 * ARGV[1] is the token of the lease.
 */
export const leaseFence = /* lua */ `
if redis.call('GET', p .. ':sync:lease') ~= ARGV[1] then return 'fenced' end
`;

/** The same for scripts that others use too: where ARGV[1] is '' they write outside of any run. */
export const leaseFenceIfAny = /* lua */ `
if ARGV[1] ~= '' and redis.call('GET', p .. ':sync:lease') ~= ARGV[1] then return 'fenced' end
`;

/** What such a script answered. Throws RUN_SUPERSEDED where another holds the lease. */
export function unlessFenced(reply: ScriptReply): ScriptReply {
  if (reply === 'fenced') throw new HoldfastError('RUN_SUPERSEDED');
  return reply;
}
