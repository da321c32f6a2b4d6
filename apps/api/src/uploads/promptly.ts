import { HoldfastError } from '@holdfast/shared/errors';
import { withinMs } from '@holdfast/shared/lifecycle';

/** With the rate limit's patience within the second in which a client is told that Redis is away. */
const PROMPT_MS = 600;
const late = Symbol('late');

/**
 * What Redis answers to the first question of an upload. A rented server may take longer over some commands, but a client
 * whose bytes have not been read yet gets its answer soon. What Redis does later is undone by the sweep, or runs out. Throws QUEUE_UNAVAILABLE.
 */
export async function promptly<T>(work: Promise<T>): Promise<T> {
  const answer = await withinMs<T, typeof late>(PROMPT_MS, work, late);
  if (answer === late)
    throw new HoldfastError('QUEUE_UNAVAILABLE', 'Redis does not answer in time', { retryAfterSeconds: 2 });
  return answer;
}
