import type { z } from 'zod';
import { HoldfastError, toHoldfastError } from '@holdfast/foundation/errors';
import { queueNames } from '@holdfast/shared/jobs';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { Dependencies } from '../dependencies.js';
import type { Answer } from '../http/route.js';
import type { schemas } from '../openapi/schemas.js';
import { requireUploadsPossible, tooManyUploads } from '../uploads/admission.js';
import { currentFindings, freeBytesOf, persistenceWarning } from './findings.js';
import type { RedisState } from './redis-state.js';

type Bodies = { [Name in 'Health' | 'DatabaseStatus']: z.infer<(typeof schemas)[Name]> };

/** A record is written, read back and removed. 503 when that fails. What this process knows of its host and its disk is of this moment. */
export const checkHealth = (deps: Dependencies) => async (): Promise<Answer> => {
  const state = await deps.redisStates.read();
  const [persistence, workers] = await Promise.all([state.test(), state.workers()]);
  const testPassed = persistence.level !== null;
  const [storage, host] = await Promise.all([storageStatus(deps, state), hostStatus(deps.host)]);
  const isDegraded =
    host.reachable === false ||
    host.circuit === 'open' ||
    storage.findings.some(({ severity }) => severity !== 'notice');
  const counts = queueNames.map((name) => [name, state.look?.queues[name].counts]);
  const body: Bodies['Health'] = {
    status: !testPassed ? 'unhealthy' : isDegraded ? 'degraded' : 'healthy',
    measuredAt: state.measuredAt,
    persistence: { testPassed, ...persistence },
    storage,
    queues: { available: state.look !== null, workers, ...Object.fromEntries(counts) },
    host,
  };
  return { status: testPassed ? 200 : 503, body };
};

/** What is stored and where. Answers also while Redis is away: then the counts are unknown. */
export const showDatabaseStatus = (deps: Dependencies) => async (): Promise<Answer> => {
  const state = await deps.redisStates.read();
  const [counted, storage, host] = await Promise.all([
    state.counts(),
    storageStatus(deps, state),
    hostStatus(deps.host),
  ]);
  const { host: place } = deps.settings;
  const body: Bodies['DatabaseStatus'] = {
    storage,
    mediaCount: counted?.total ?? null,
    byStatus: counted?.byStatus ?? {},
    // The cloud's name, or the folder of the files: for those with a key, not for everyone.
    host: { ...host, place: place.kind === 'local' ? place.directory : place.cloudName },
  };
  return { status: 200, body };
};

async function storageStatus(deps: Dependencies, state: RedisState): Promise<Bodies['Health']['storage']> {
  const findings = await currentFindings(deps, state);
  const { failure } = state;
  return {
    type: deps.settings.redis.storageType,
    hasKV: deps.settings.redis.external,
    connected: failure === null || failure.connected,
    connectionTest: failure === null ? 'passed' : `failed: ${failure.message}`,
    persistenceWarning:
      failure === null
        ? persistenceWarning(findings)
        : `${failure.message}: what it keeps cannot be tested now.`,
    findings,
  };
}

/** What recent calls to the host showed. Makes no call. */
async function hostStatus(host: MediaHost): Promise<Bodies['Health']['host']> {
  const freeBytes = await freeBytesOf(host);
  const { failing: _failing, ...health } = host.health();
  return { type: host.kind, ...health, freeBytes };
}

/** The process is up and its event loop turns; nothing else is checked. */
export const live = async (): Promise<Answer> => ({ status: 200, body: { status: 'ok' } });

/** 200 when an upload would be accepted now, otherwise 503 with the reason for which this process, its host or Redis would refuse it. */
export const ready = (deps: Dependencies) => async (): Promise<Answer> => {
  try {
    if (deps.uploadSlots.full) throw tooManyUploads();
    await requireUploadsPossible(deps);
    const { look, failure } = await deps.redisStates.read();
    if (failure !== null) throw new HoldfastError('QUEUE_UNAVAILABLE', failure.message);
    const counts = look === null ? [] : [look.queues.save.counts, look.queues.verify.counts];
    const backlog = counts.reduce((sum, { waiting, delayed }) => sum + waiting + delayed, 0);
    if (backlog > deps.settings.uploads.maxBacklog)
      throw new HoldfastError('OVERLOADED', 'too many jobs wait');
    return { status: 200, body: { status: 'ready' } };
  } catch (error) {
    const { code, message } = toHoldfastError(error);
    return { status: 503, body: { status: 'not ready', code, detail: message } };
  }
};
