import type { Agent } from 'node:http';
import { HoldfastError } from '../../errors/index.js';
import { abortReason, onAbort } from '../../lifecycle/index.js';
import type { AgentPool } from './agent-pool.js';

export interface CallLimits {
  deadlineMs: number;
  signal?: AbortSignal | undefined;
}

/** Error answers whose body the SDK reads to its end; after any other error the socket is lost. */
const DRAINED = new Set<unknown>([400, 401, 404, 420, 429]);

/**
 * One small call of the SDK on a socket of its own. Settles once, by the deadline at the latest (HOST_TIMEOUT) or when
 * the signal aborts (its reason); else rejects with what the SDK gave.
 */
export function callHost(
  pool: AgentPool,
  { deadlineMs, signal }: CallLimits,
  call: (agent: Agent) => Promise<unknown>,
): Promise<unknown> {
  if (signal?.aborted === true) return Promise.reject(abortReason(signal));
  const lease = pool.lease();
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      forgetAbort();
    };
    const fail = (error: unknown): void => {
      settle();
      if (DRAINED.has(statusOf(error))) lease.release();
      else lease.destroy();
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- converted once, by the caller
      reject(error);
    };
    const timer = setTimeout(() => fail(new HoldfastError('HOST_TIMEOUT')), deadlineMs);
    const forgetAbort = onAbort(signal, fail);
    const succeed = (reply: unknown): void => {
      settle();
      lease.release();
      resolve(reply);
    };
    attempt(call, lease.agent).then(succeed, fail);
  });
}

/**
 * Sends a form of the SDK, and once more where it is refused as a bad request: the SDK draws the boundary between the fields
 * (see open-upload.ts), one in half a million is empty, and the host cannot read that form. A refused one has changed nothing.
 */
export async function sendForm(send: () => Promise<unknown>): Promise<unknown> {
  try {
    return await send();
  } catch (error) {
    if (statusOf(error) !== 400) throw error;
    return send();
  }
}

/** The HTTP status in what the SDK rejects with. */
export function statusOf(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('http_code' in error) return error.http_code;
  return 'error' in error ? statusOf(error.error) : undefined;
}

/** The SDK throws at once on some bad options; here that is a rejection too. */
async function attempt(call: (agent: Agent) => Promise<unknown>, agent: Agent): Promise<unknown> {
  return call(agent);
}
