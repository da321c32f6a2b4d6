import type { Readable } from 'node:stream';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { isStream } from './body.js';
import { type AssetRef, HostFailure, type HostHealth, type MediaHost } from './media-host.js';

/** What an implementation does. `guardHost` adds what its calls show of the host. */
export type HostCalls = Omit<MediaHost, 'health' | 'uploadRefusal'>;

/** Hears of each call that takes time. */
export interface HostObserver {
  /** `outcome`: `ok`, or the code of the error. */
  ended(call: string, outcome: string, milliseconds: number): void;
  /** The host took a new file of this size. */
  stored(bytes: number): void;
}

export interface GuardOptions {
  log: Logger;
  observer?: HostObserver;
  /** Between a failure and the next probe, for a circuit. A disk that fails, fails at once, and needs none. */
  probeAfterMs?: number;
}

/** The circuit opens after this many failures in a row. */
const FAILURES = 5;
/** Between a failure of a host in the network and the next probe. */
export const PROBE_AFTER_MS = 5_000;
const PROBE_WITHIN_MS = 5_000;
/** Calls that take another path than all others: their failures must not keep anyone from listing the host. */
const downloads: ReadonlySet<keyof HostCalls> = new Set(['open', 'readFile']);
/** It need not exist: any answer proves that the host is up. */
const PROBED: AssetRef = { publicId: 'holdfast/host-check', resourceType: 'image' };
/** A refusal asks callers to wait half as long as the host has been failing, within these bounds. */
const FIRST_RETRY_SECONDS = 5;
const LAST_RETRY_SECONDS = 30;
const CIRCUIT_OPEN = 'CIRCUIT_OPEN';

/** True for the error of a call that was not attempted: nothing is left behind, and nothing is known about the request itself. */
export function isCircuitOpen(error: unknown): boolean {
  return isHoldfastError(error) && error.cause instanceof HostFailure && error.cause.code === CIRCUIT_OPEN;
}

/**
 * The host with its health, observed, and behind the circuit of this process: after five failures in a row calls fail at once, until the
 * host answers a probe (docs/decisions/0013-a-circuit-for-the-host.md).
 */
export function guardHost(host: HostCalls, { log, observer, probeAfterMs }: GuardOptions): MediaHost {
  let failures = 0;
  let probe: NodeJS.Timeout | undefined;
  let closed = false;
  let health: Omit<HostHealth, 'circuit'> = {
    reachable: null,
    lastSuccessAt: null,
    lastFailureAt: null,
    lastErrorCode: null,
    failing: null,
  };

  /** Of every call, while the circuit is open. */
  const circuitRefusal = (): HoldfastError | null => {
    const { failing, lastErrorCode } = health;
    if (probeAfterMs === undefined || failures < FAILURES || failing === null || lastErrorCode === null)
      return null;
    const failingSeconds = (Date.now() - Date.parse(failing.since)) / 1_000;
    const retrySeconds = Math.ceil(failingSeconds / 2);
    return new HoldfastError(lastErrorCode, 'the media host has been failing; not attempted', {
      cause: new HostFailure('the circuit is open', null, CIRCUIT_OPEN),
      retryAfterSeconds: Math.min(Math.max(retrySeconds, FIRST_RETRY_SECONDS), LAST_RETRY_SECONDS),
    });
  };
  const call = async <T>(name: keyof HostCalls, work: () => Promise<T>, signal?: AbortSignal) => {
    const startedAt = performance.now();
    const tells = !downloads.has(name);
    let outcome = 'ok';
    try {
      signal?.throwIfAborted();
      const refusal = circuitRefusal();
      if (refusal !== null) throw refusal;
      const result = await work();
      if (tells) note('answered');
      return result;
    } catch (error) {
      if (tells) note(hostVerdict(error, startedAt, signal));
      const thrown: unknown = signal?.aborted === true ? signal.reason : error;
      outcome = isHoldfastError(thrown) ? thrown.code : 'INTERNAL';
      throw thrown;
    } finally {
      observer?.ended(name, outcome, performance.now() - startedAt);
    }
  };

  const note = (verdict: ReturnType<typeof hostVerdict>): void => {
    if (verdict === null) return;
    const at = new Date().toISOString();
    if (verdict === 'answered') {
      clearTimeout(probe);
      probe = undefined;
      if (health.failing !== null) log.info('host.recovered');
      if (circuitRefusal() !== null) log.info('host.circuit_closed');
      failures = 0;
      health = { ...health, reachable: true, failing: null, lastSuccessAt: at };
      return;
    }
    const { code, message, cause } = verdict;
    if (health.failing === null) log.warn('host.failing', { code });
    const refusesCredentials = cause instanceof HostFailure && cause.refusesCredentials;
    const failing = { since: health.failing?.since ?? at, message, refusesCredentials };
    health = { ...health, reachable: false, failing, lastFailureAt: at, lastErrorCode: code };
    failures += 1;
    if (failures === FAILURES && probeAfterMs !== undefined) log.warn('host.circuit_opened', { code });
    scheduleProbe();
  };

  /** There may be no other call: what the last one showed of the host must not stand for ever. */
  const scheduleProbe = (): void => {
    if (closed || probeAfterMs === undefined || probe !== undefined) return;
    probe = setTimeout(() => void look(), probeAfterMs).unref();
  };
  const look = async (): Promise<void> => {
    const startedAt = performance.now();
    const signal = AbortSignal.timeout(PROBE_WITHIN_MS);
    const verdict = await host.find(PROBED, signal).then(
      () => 'answered' as const,
      (error: unknown) => hostVerdict(error, startedAt, signal),
    );
    probe = undefined;
    note(verdict);
    if (health.failing !== null) scheduleProbe();
  };

  return {
    ...host,
    put: async (request) => {
      const { body, signal } = request;
      if (isStream(body)) mayBreakUnread(body);
      try {
        const result = await call('put', () => host.put(request), signal);
        if (!result.existed) observer?.stored(result.asset.bytes);
        return result;
      } finally {
        if (isStream(body)) body.destroy();
      }
    },
    annotate: (ref, metadata, signal) => call('annotate', () => host.annotate(ref, metadata, signal), signal),
    find: (ref, signal) => call('find', () => host.find(ref, signal), signal),
    remove: (ref, signal) => call('remove', () => host.remove(ref, signal), signal),
    list: (request) => call('list', () => host.list(request), request.signal),
    changes: (request) => call('changes', () => host.changes(request), request.signal),
    confirm: (assetIds, signal) => call('confirm', () => host.confirm(assetIds, signal), signal),
    putFile: (name, body, signal) => call('putFile', () => host.putFile(name, body, signal), signal),
    open: (asset, signal) => call('open', async () => mayBreakUnread(await host.open(asset, signal)), signal),
    readFile: (name, signal, bytes) => call('readFile', () => host.readFile(name, signal, bytes), signal),
    listFiles: (prefix, signal) => call('listFiles', () => host.listFiles(prefix, signal), signal),
    removeFile: (name, signal) => call('removeFile', () => host.removeFile(name, signal), signal),
    // Without uploads, this is the only call to a disk.
    freeBytes: host.kind === 'local' ? () => call('freeBytes', host.freeBytes) : host.freeBytes,
    health: () => ({ ...health, circuit: circuitRefusal() === null ? 'closed' : 'open' }),
    uploadRefusal: circuitRefusal,
    close: () => {
      closed = true;
      clearTimeout(probe);
      return host.close();
    },
  };
}

/** A stream that breaks while nothing reads it would end the process. The error stays with it, for the one who reads it later. */
function mayBreakUnread(stream: Readable): Readable {
  return stream.on('error', () => undefined);
}

/** A caller that gave up after this long without an answer has seen silence; one that left sooner has seen nothing. */
const SILENCE_MS = 2_000;

/**
 * What a rejected call says about the host as a whole: its failure; `answered` if it refused only this request; null for nothing, as
 * when the caller went away or the host asks to wait.
 */
function hostVerdict(error: unknown, startedAt: number, signal?: AbortSignal) {
  if (isCircuitOpen(error)) return null;
  if (signal?.aborted === true) {
    const reason: unknown = signal.reason;
    const isTimeLimit = reason instanceof Error && reason.name === 'TimeoutError';
    const isSilent = isTimeLimit && performance.now() - startedAt >= SILENCE_MS;
    return isSilent ? new HoldfastError('HOST_TIMEOUT') : null;
  }
  if (isHoldfastError(error, 'HOST_LIMIT', 'HOST_CURSOR_SPENT', 'MEDIA_NOT_FOUND')) return 'answered';
  if (isHoldfastError(error, 'HOST_TIMEOUT')) return error;
  if (isHoldfastError(error, 'STORAGE_FULL')) return error.cause === undefined ? null : error;
  if (!isHoldfastError(error, 'HOST_REJECTED')) return null;
  const { cause } = error;
  // Without a cause it is about this one request. A refusal of our credentials meets every other request as well.
  const isOfThisRequest =
    cause instanceof HostFailure ? !cause.transient && !cause.refusesCredentials : cause === undefined;
  return isOfThisRequest ? 'answered' : error;
}
