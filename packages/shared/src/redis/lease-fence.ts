import { HoldfastError } from '../errors/index.js';
import type { ScriptReply } from './script.js';

/** The token that a write for a run carries; null, said openly, for a write outside of any run. */
export type LeaseToken = string | null;

/**
 * Lua for scripts with `p` that write for the run which holds the lease of syncs: ends the script, with nothing written, unless
 * ARGV[1] is the token of the lease.
 */
export const leaseFence = /* lua */ `
if redis.call('GET', p .. ':sync:lease') ~= ARGV[1] then return 'fenced' end
`;

/** The same for scripts that others use too. ARGV[1] is what `fenceArgument` gives. */
export const leaseFenceIfAny = /* lua */ `
if ARGV[1] ~= '' and redis.call('GET', p .. ':sync:lease') ~= ARGV[1] then return 'fenced' end
`;

/** A token as ARGV[1] of scripts with `leaseFenceIfAny`. */
export function fenceArgument(token: LeaseToken): string {
  return token ?? '';
}

/** What such a script answered. Throws RUN_SUPERSEDED where another holds the lease. */
export function unlessFenced(reply: ScriptReply): ScriptReply {
  if (reply === 'fenced') throw new HoldfastError('RUN_SUPERSEDED');
  return reply;
}
