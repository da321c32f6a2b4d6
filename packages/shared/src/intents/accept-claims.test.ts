import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createCatalog, type Catalog } from '../catalog/index.js';
import { createClaims, type Claims, type HeldClaim } from '../idempotency/index.js';
import { newMediaId } from '../media/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createIntents, type Intents } from './index.js';

const keys = redisKeys('holdfast');
const key = 'cd'.repeat(16);
const fingerprint = 'ab'.repeat(16);

let redis: RedisSandbox;
let claims: Claims;
let intents: Intents;
let catalog: Catalog;
beforeAll(async () => {
  redis = await startRedisSandbox();
  claims = createClaims(redis.client, keys);
  intents = createIntents(redis.client, keys);
  catalog = createCatalog(redis.client, keys);
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushall());

async function held(id: string): Promise<HeldClaim> {
  const reply = await claims.claim(key, id, null);
  if (reply.state !== 'held') throw new Error(`the claim is ${reply.state}`);
  return reply.claim;
}

it('finishes the claim in the step that accepts, and only for the try that holds it', async () => {
  const record = aRecord();
  const first = await held(record.id);
  await intents.open(record.id, record.publicId, 10);
  await redis.client.hset(keys.claim(key), 'lease', '0');
  const second = await held(newMediaId());
  expect(await intents.accept({ record, claim: { ...first, fingerprint, exclusive: true } })).toBe('dead');
  expect(await catalog.find(record.id)).toBeNull();
  expect(await intents.accept({ record, claim: { ...second, fingerprint, exclusive: true } })).toBe(
    'accepted',
  );
  expect(await claims.claim(key, newMediaId(), null)).toMatchObject({
    state: 'done',
    finished: { id: record.id, fingerprint },
  });
});

it('finishes a forgotten claim for a committed upload, but never takes one from another media item item', async () => {
  const [record, other] = [aRecord(), aRecord()];
  const claim = await held(record.id);
  await redis.client.flushall();
  expect(
    await intents.accept({ record, committed: true, claim: { ...claim, fingerprint, exclusive: false } }),
  ).toBe('accepted');
  expect(
    await intents.accept({
      record: other,
      committed: true,
      claim: { ...claim, fingerprint, exclusive: false },
    }),
  ).toBe('accepted');
  expect(await claims.claim(key, newMediaId(), null)).toMatchObject({
    state: 'done',
    finished: { id: record.id },
  });
});

it('accepts an upload under way whose claim was wiped, or restored from its asset, but not one that is for another media', async () => {
  const [record, other] = [aRecord(), aRecord()];
  const claim = { ...(await held(record.id)), fingerprint, exclusive: true };
  await redis.client.flushall();
  expect(await intents.accept({ record, committed: true, claim })).toBe('accepted');
  await redis.client.flushall();
  await claims.restore([{ key, id: record.id, fingerprint, keepMs: 60_000 }], null);
  expect(await intents.accept({ record, committed: true, claim })).toBe('accepted');
  await redis.client.flushall();
  await held(other.id);
  expect(await intents.accept({ record, committed: true, claim })).toBe('dead');
});

it('leaves what an earlier try under the same id has settled, and still looks for what it may have left', async () => {
  const record = aRecord();
  await intents.open(record.id, `${record.publicId}.zip`, 10);
  await intents.accept({ record });
  expect(await intents.open(record.id, record.publicId, 10)).toBe('opened');
  expect(await intents.beat([record.id])).toEqual(['settled']);
  expect(await intents.publicIdOf(record.id)).toBe(`${record.publicId}.zip`);
});
