import { expect, it, onTestFinished } from 'vitest';
import { createCatalog } from '@holdfast/shared/catalog';
import { readSettings } from '@holdfast/shared/config';
import { silentLogger } from '@holdfast/shared/logging';
import { closeRedis, connectRedis, isReadyWithin, redisKeys, type RedisRole } from '@holdfast/shared/redis';
import { aRecord, startManagedRedis } from '@holdfast/shared/testing';
import { createReadBack } from './read-back.js';

const refused = { ROLE: "-ERR Command is not available: 'ROLE'." };
const withoutRole = (text: string): string => text.replace(/^role:.*\r\n/m, '');

it.each([
  ['ROLE', {}],
  ['INFO, where ROLE is refused', { answers: refused }],
  ['a write, where INFO hides it too', { answers: refused, info: withoutRole }],
  ['a write, where both are refused', { answers: { ...refused, INFO: '-NOPERM this user may not' } }],
])('is told by %s that the master answers a read-back, and that it does no more', async (_way, service) => {
  const redis = await startManagedRedis(service);
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
  expect(await readBack.read(record.id)).toMatchObject({ stored: { record }, gaps: 0 });
  await redis.server.client.call('REPLICAOF', '127.0.0.1', '1');
  await expect(readBack.read(record.id)).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
  await redis.server.client.call('REPLICAOF', 'NO', 'ONE');
  await expect.poll(() => readBack.read(record.id).catch(() => null)).toMatchObject({ gaps: 0 });
});
