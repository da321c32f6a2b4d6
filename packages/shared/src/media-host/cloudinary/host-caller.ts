import type { Agent } from 'node:http';
import type { CloudinarySettings } from '../../config/index.js';
import { HoldfastError } from '../../errors/index.js';
import { abortReason, isAborted } from '../../lifecycle/index.js';
import { HostFailure } from '../host-failure.js';
import type { HostOutcomes } from '../host-outcomes.js';
import type { AgentPool } from './agent-pool.js';
import { callHost, sendForm } from './host-call.js';
import type { RateBudget } from './rate-budget.js';
import type { CallOptions } from './sdk.js';
import type { HostTimeouts } from './timeouts.js';
import { toHostError } from './to-host-error.js';

/** The only way to call the SDK: credentials added, deadline kept, errors converted, outcome remembered. */
export interface HostCaller {
  /** Credentials and address for one call. */
  readonly access: (agent: Agent, timeoutMs: number) => CallOptions;
  /** For work that leases its own agents. */
  readonly observed: <T>(signal: AbortSignal | undefined, work: () => Promise<T>) => Promise<T>;
  /** For work that says nothing of the host as a whole: errors are converted, and no outcome is remembered. */
  readonly converted: <T>(signal: AbortSignal | undefined, work: () => Promise<T>) => Promise<T>;
  /** A call of the upload API: not metered. */
  readonly signed: Call;
  /** A call of the Admin or search API: metered. */
  readonly admin: Call;
  readonly metered: () => number;
}

type Call = <T>(
  signal: AbortSignal | undefined,
  call: (options: CallOptions) => Promise<unknown>,
  read: (reply: unknown) => T,
) => Promise<T>;

export interface HostCallerParts {
  settings: CloudinarySettings;
  pool: AgentPool;
  timeouts: HostTimeouts;
  outcomes: HostOutcomes;
  budget: Pick<RateBudget, 'retryAfter'>;
}

export function createHostCaller(parts: HostCallerParts): HostCaller {
  const { settings, pool, timeouts, outcomes, budget } = parts;
  let metered = 0;

  const access = (agent: Agent, timeout: number): CallOptions => ({
    cloud_name: settings.cloudName,
    api_key: settings.apiKey,
    api_secret: settings.apiSecret,
    upload_prefix: settings.apiUrl,
    signature_algorithm: settings.signatureAlgorithm,
    agent,
    timeout,
  });

  const converted = async <T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (thrown) {
      if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
      throw toHostError(thrown, budget.retryAfter);
    }
  };

  const observed = async <T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> => {
    try {
      const result = await converted(signal, work);
      outcomes.answered();
      return result;
    } catch (error) {
      if (!(error instanceof HoldfastError) || (signal !== undefined && isAborted(signal))) throw error;
      if (isFailureOfHost(error)) outcomes.failed(error);
      else if (error.cause instanceof HostFailure) outcomes.answered();
      throw error;
    }
  };

  const within = (
    deadlineMs: number,
    signal: AbortSignal | undefined,
    call: (options: CallOptions) => Promise<unknown>,
  ) => callHost(pool, { deadlineMs, signal }, (agent) => call(access(agent, deadlineMs)));

  return {
    access,
    observed,
    converted,
    signed: (signal, call, read) =>
      observed(signal, async () => read(await sendForm(() => within(timeouts.callMs, signal, call)))),
    admin: (signal, call, read) =>
      observed(signal, async () => {
        metered += 1;
        return read(await within(timeouts.pageMs, signal, call));
      }),
    metered: () => metered,
  };
}

/** A refusal of this one request says nothing about the host's health; wrong credentials and silence do. */
function isFailureOfHost({ code, cause }: HoldfastError): boolean {
  if (code !== 'HOST_REJECTED') return code === 'HOST_TIMEOUT';
  return !(cause instanceof HostFailure) || cause.transient || cause.refusesCredentials;
}
