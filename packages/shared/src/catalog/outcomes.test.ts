import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { redisKeys } from '../redis/index.js';
import { aRecord, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createCatalog, type Catalog } from './index.js';

/** What becomes of a record's jobs, as the record tells it. */
let redis: RedisSandbox;
let catalog: Catalog;
beforeAll(async () => {
  redis = await startRedisSandbox();
  catalog = createCatalog(redis.client, redisKeys('holdfast'));
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushall());

describe('a verified record', () => {
  it('keeps its level, time and attempts, and loses its intent', async () => {
    const record = aRecord();
    await catalog.save(record);
    await redis.client.zadd('{holdfast}:intents', 1, record.id);
    const when = new Date('2026-01-01T00:00:00.000Z');
    expect(
      await catalog.markVerified('fsynced', when, [{ id: record.id, revision: 1, attempts: 2 }]),
    ).toEqual(['verified']);
    expect(await catalog.find(record.id)).toEqual({
      ...record,
      status: 'verified',
      persistence: { level: 'fsynced', verifiedAt: '2026-01-01T00:00:00.000Z', attempts: 2 },
    });
    expect(await redis.client.exists('{holdfast}:intents')).toBe(0);
    expect((await catalog.counts()).byStatus).toMatchObject({ verified: 1, saving: 0 });
  });

  it('is not marked when the record has moved on to another revision', async () => {
    const record = aRecord();
    await catalog.save({ ...record, revision: 2 });
    expect(
      await catalog.markVerified('written', new Date(), [{ id: record.id, revision: 1, attempts: 1 }]),
    ).toEqual(['superseded']);
    expect((await catalog.find(record.id))?.status).toBe('saving');
  });
});

describe('a failure', () => {
  const failure = { attempts: 3, final: false, error: { code: 'HOST_REJECTED', message: 'no' } };

  it('to push an edit is over once the host has it', async () => {
    const record = { ...aRecord(), pushedRevision: 0 };
    await catalog.save(record);
    await catalog.markVerified('fsynced', new Date(), [{ id: record.id, revision: 1, attempts: 1 }]);
    await catalog.noteFailure({ id: record.id, revision: 0, ...failure });
    expect(await catalog.find(record.id)).toMatchObject({
      status: 'verified',
      lastError: { code: 'HOST_REJECTED' },
      persistence: { attempts: 1 },
    });
    await catalog.notePushed(record.id, 1);
    expect(await catalog.find(record.id)).toMatchObject({ status: 'verified', lastError: null });
  });

  it('to save or verify stays until that succeeds', async () => {
    const record = { ...aRecord(), pushedRevision: 0 };
    await catalog.save(record);
    await catalog.noteFailure({ id: record.id, revision: 1, ...failure });
    await catalog.notePushed(record.id, 1);
    expect((await catalog.find(record.id))?.lastError).toMatchObject({ code: 'HOST_REJECTED' });
    await catalog.markVerified('fsynced', new Date(), [{ id: record.id, revision: 1, attempts: 2 }]);
    expect((await catalog.find(record.id))?.lastError).toBeNull();
  });
});
