import type { DurabilityLevel } from '@holdfast/foundation/config';
import { toHoldfastError } from '@holdfast/foundation/errors';
import { silentLogger } from '@holdfast/foundation/logging';
import type { Catalog } from '@holdfast/shared/catalog';
import type { Barrier } from '@holdfast/shared/durability';
import type { MediaHost } from '@holdfast/shared/media-host';
import { aRecord } from '@holdfast/shared/testing';
import { storedAs } from '../test/support/stored-as.js';
import { expect, it } from 'vitest';
import type { JobContext } from './run-job.js';
import { expectedRecord, type ReadBack } from './verify/verify-records.js';
import { createVerifyMedia } from './save-and-verify.js';

const record = aRecord();
const context: JobContext = { signal: new AbortController().signal, attempt: 2, log: silentLogger };

/**
 * A server that has the record. `lost`: how often a connection is replaced while the barrier is waited for. `behind`: how many
 * reads a replica answers that does not have it yet, and `lagMs` for how long that may be so.
 */
interface Server {
  behind?: number;
  lagMs?: number;
  lost?: number;
  level?: DurabilityLevel;
  required?: DurabilityLevel;
}

function server({ behind = 0, lagMs = 0, lost = 0, level = 'fsynced', required }: Server = {}) {
  const seen = { reads: 0, saves: 0, barriers: 0, marked: [] as unknown[], syncs: 0 };
  let epoch = 1;
  const catalog: Partial<Catalog> = {
    find: () => Promise.resolve(record),
    markVerified: (of, _at, entries) => {
      seen.marked.push(...entries.map((entry) => ({ level: of, entry })));
      return Promise.resolve(entries.map(() => 'verified'));
    },
    save: () => {
      seen.saves += 1;
      return Promise.resolve('unchanged');
    },
    saveIf: () => Promise.resolve('unchanged'),
    reindex: () => Promise.resolve(0),
  };
  const readBack: ReadBack = {
    read: (ids) => {
      seen.reads += 1;
      const stored = seen.reads > behind ? storedAs(record) : null;
      return Promise.resolve(ids.map(() => ({ stored, gaps: 0 })));
    },
    epoch: () => epoch,
    lagMs,
  };
  const barrier: Partial<Barrier> = {
    confirm: () => {
      seen.barriers += 1;
      if (seen.barriers <= lost) epoch += 1;
      return Promise.resolve(level);
    },
    epoch: () => 1,
  };
  const host: Partial<MediaHost> = { find: () => Promise.resolve(null) };
  const deps = {
    catalog,
    readBack,
    barrier,
    host,
    server: { judged: () => Promise.resolve() },
    settings: { durability: { required, replicas: 0 } },
    afterUpload: () => {
      seen.syncs += 1;
    },
  } as Parameters<typeof createVerifyMedia>[0];
  return { seen, verify: () => createVerifyMedia(deps)({ record, round: 0 }, context) };
}

it('marks the level that the server confirmed, and asks for a sync', async () => {
  const { seen, verify } = server();
  await verify();
  const entry = { ...expectedRecord(record), attempts: 2 };
  expect(seen).toEqual({ reads: 1, saves: 0, barriers: 1, marked: [{ level: 'fsynced', entry }], syncs: 1 });
});

it('goes back to the queue when a connection was replaced before the barrier answered', async () => {
  const { seen, verify } = server({ lost: 1 });
  await expect(verify()).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
  expect(seen.marked).toEqual([]);
});

it.each([
  ['written', 'fsynced', false],
  ['fsynced', 'replicated', false],
  ['fsynced', 'fsynced', true],
  ['replicated', 'fsynced', true],
  ['written', 'written', true],
] as const)('confirmed %s where %s is required: verified is %s', async (level, required, verified) => {
  const { seen, verify } = server({ level, required });
  const code = await verify().then(
    () => 'none',
    (error: unknown) => toHoldfastError(error).code,
  );
  expect(code).toBe(verified ? 'none' : 'DURABILITY_TOO_LOW');
  expect(seen.marked).toHaveLength(verified ? 1 : 0);
});

it('reads again, and neither saves nor fails, while a replica may be behind', async () => {
  const { seen, verify } = server({ behind: 2, lagMs: 5_000 });
  await verify();
  expect(seen).toMatchObject({ reads: 3, saves: 0, barriers: 1 });
});

it.each([
  ['at once where reads are never behind', 0],
  ['once a replica would have it', 150],
])('saves what is lacking %s', async (_when, lagMs) => {
  const { seen, verify } = server({ behind: 99, lagMs });
  await expect(verify()).rejects.toMatchObject({ code: 'RECORD_DIFFERS' });
  expect(seen).toMatchObject({ saves: 1, marked: [] });
  // A timer may be a moment early, and one more read then settles it.
  expect(lagMs === 0 ? [1] : [3, 4]).toContain(seen.reads);
});
