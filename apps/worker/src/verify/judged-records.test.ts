import { expect, it, onTestFinished } from 'vitest';
import { createCatalog, type FoundRecord } from '@holdfast/shared/catalog';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import type { Measured, MediaRecord } from '@holdfast/shared/media';
import { closeRedis, connectRedis, isReadyWithin, redisKeys, type RedisRole } from '@holdfast/shared/redis';
import { aRecord, startManagedRedis } from '@holdfast/shared/testing';
import { storedAs } from '../../test/support/stored-as.js';
import { createReadBack, expectedRecord, judgeRecord } from './verify-records.js';

const there = (record: MediaRecord, gaps = 0): FoundRecord => ({
  stored: storedAs(record),
  gaps,
});
const own = aRecord();
const foreign = aRecord({ id: 'cld-abc', publicId: 'theirs' });

it.each([
  ['same', own, there({ ...own, status: 'verified' })],
  ['absent', own, { stored: null, gaps: 1 }],
  ['different', own, there({ ...own, bytes: own.bytes + 1 })],
  ['different', { ...own, revision: 2 }, there(own)],
  ['unindexed', own, there(own, 1)],
  ['superseded', own, there({ ...own, revision: 2, title: 'B' })],
  ['superseded', own, there({ ...own, status: 'deleting' })],
  ['superseded', own, there({ ...own, status: 'verified', publicId: 'renamed' })],
  ['superseded', foreign, there({ ...foreign, bytes: 9 })],
] as const)('finds %s', (verdict, expected, found) => {
  expect(judgeRecord(expectedRecord(expected), found)).toBe(verdict);
});

/** One other value for each field of the content. */
const others: {
  [
    Field in Exclude<keyof MediaRecord, keyof Measured | 'id' | 'revision' | 'pushedRevision'>
  ]: MediaRecord[Field];
} = {
  publicId: 'elsewhere',
  assetId: 'another',
  resourceType: 'raw',
  format: null,
  bytes: 1,
  width: null,
  height: 21,
  durationSeconds: 2.5,
  url: 'https://res.example.com/other.png',
  checksum: { sha256: own.checksum.sha256, md5: null },
  filename: 'b.png',
  title: 'B',
  description: 'x',
  category: '',
  tags: ['sea', 'sky'],
  uploadedBy: 'another',
  source: 'direct',
  createdAt: '2020-01-01T00:00:00.000Z',
  updatedAt: '2031-01-01T00:00:00.000Z',
  hostVersion: 1,
};

it.each(Object.entries(others))('sees a difference in %s', (field, value) => {
  const record: MediaRecord = { ...own, [field]: value };
  expect(judgeRecord(expectedRecord(own), there(record))).toBe('different');
});

it('accepts no read-back from a server that is no longer the master, on a server that hides its role', async () => {
  const refused = { ROLE: "-ERR Command is not available: 'ROLE'." };
  const redis = await startManagedRedis({ answers: { ...refused, INFO: '-NOPERM this user may not' } });
  onTestFinished(() => redis.close());
  const { connection, prefix } = readSettings(redis.env).redis;
  const keys = redisKeys(prefix);
  const connect = async (role: RedisRole) => {
    const client = connectRedis(connection, role, silentLogger);
    onTestFinished(() => closeRedis(client));
    await isReadyWithin(client, 2_000);
    return client;
  };
  const record = aRecord();
  await createCatalog(await connect('background'), keys).save(record);
  const client = await connect('readback');
  const readBack = createReadBack(client, keys, true);
  expect(await readBack.read([record.id])).toMatchObject([{ stored: { record }, gaps: 0 }]);
  await redis.server.client.call('REPLICAOF', '127.0.0.1', '1');
  await expect(readBack.read([record.id])).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
  await redis.server.client.call('REPLICAOF', 'NO', 'ONE');
  await expect.poll(() => readBack.read([record.id]).catch(() => null)).toMatchObject([{ gaps: 0 }]);
});
