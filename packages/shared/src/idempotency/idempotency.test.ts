import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { newMediaId } from '../media/index.js';
import { redisKeys } from '../redis/index.js';
import { startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import {
  CLAIM_KEPT_MS,
  CLAIM_LEASE_MS,
  claimKey,
  createClaims,
  type Claims,
  type HeldClaim,
} from './index.js';

const keys = redisKeys('holdfast');
const key = claimKey('web', 'k');
const fingerprint = 'ab'.repeat(16);

let redis: RedisSandbox;
let claims: Claims;
beforeAll(async () => {
  redis = await startRedisSandbox();
  claims = createClaims(redis.client, keys);
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushall());

async function held(id = newMediaId()): Promise<HeldClaim> {
  const reply = await claims.claim(key, id, null);
  if (reply.state !== 'held') throw new Error(`the claim is ${reply.state}`);
  return reply.claim;
}

const endLease = (): Promise<unknown> => redis.client.hset(keys.claim(key), 'lease', '0');

it('lets one request at a time work under a key, and the next one with the same id once the lease has run out', async () => {
  const first = await held();
  expect(first.takenOver).toBe(false);
  const other = await claims.claim(key, newMediaId(), null);
  expect(other.state).toBe('running');
  await endLease();
  const second = await held();
  expect(second).toMatchObject({ id: first.id, takenOver: true });
  expect(await claims.renew([first, second])).toEqual([false, true]);
  expect(await claims.finish(first, { id: first.id, fingerprint, duplicate: false })).toBe('taken');
  expect(await claims.release(first, false)).toBe('taken');
  expect((await claims.claim(key, newMediaId(), null)).state).toBe('running');
});

it('keeps a lease alive that is renewed', async () => {
  const claim = await held();
  await redis.client.hset(keys.claim(key), 'lease', Date.now() + 1_000);
  expect(await claims.renew([claim])).toEqual([true]);
  const reply = await claims.claim(key, newMediaId(), null);
  expect(reply.state === 'running' && reply.leaseMs > 10_000 && reply.leaseMs <= CLAIM_LEASE_MS).toBe(true);
});

it('restores a claim that was wiped under way, so that the next try continues under the same id', async () => {
  const claim = await held();
  await redis.client.flushall();
  expect(await claims.renew([claim])).toEqual([true]);
  expect((await claims.claim(key, newMediaId(), null)).state).toBe('running');
  await endLease();
  expect(await held()).toMatchObject({ id: claim.id, takenOver: true });
  expect(await redis.client.pttl(keys.claim(key))).toBeGreaterThan(CLAIM_KEPT_MS - 10_000);
});

it('starts over after a release, unless the id is to be kept', async () => {
  const first = await held();
  await claims.release(first, true);
  const second = await held();
  expect(second).toMatchObject({ id: first.id, takenOver: true });
  await claims.release(second, false);
  const third = await held();
  expect(third.takenOver).toBe(false);
  expect(third.id).not.toBe(first.id);
});

it('remembers for a day what came of a request', async () => {
  const claim = await held();
  const finished = { id: newMediaId(), fingerprint, duplicate: true };
  expect(await claims.finish(claim, finished)).toBe('finished');
  expect(await claims.claim(key, newMediaId(), null)).toEqual({ state: 'done', finished });
  const left = await redis.client.pttl(keys.claim(key));
  expect(left).toBeGreaterThan(CLAIM_KEPT_MS - 10_000);
  expect(left).toBeLessThanOrEqual(CLAIM_KEPT_MS);
  expect(await claims.release(claim, false)).toBe('released');
  expect((await claims.claim(key, newMediaId(), null)).state).toBe('done');
});

it('decides nothing when the catalog is not the one that the caller knows', async () => {
  await redis.client.set(keys.epoch, '1');
  expect((await claims.claim(key, newMediaId(), '1')).state).toBe('held');
  await redis.client.flushall();
  expect(await claims.claim(key, newMediaId(), '1')).toEqual({ state: 'emptied' });
  expect(await redis.client.exists(keys.claim(key))).toBe(0);
});

it('restores what was forgotten, and changes nothing that is known', async () => {
  const restored = { key, fingerprint, id: newMediaId(), keepMs: 60_000 };
  expect(await claims.restore([restored], null)).toBe(1);
  expect(await redis.client.pttl(keys.claim(key))).toBeLessThanOrEqual(60_000);
  expect(await claims.restore([{ ...restored, id: newMediaId() }], null)).toBe(0);
  expect(await claims.claim(key, newMediaId(), null)).toMatchObject({
    state: 'done',
    finished: { id: restored.id, fingerprint, duplicate: false },
  });
});

it('distinguishes the keys of clients', () => {
  expect(claimKey('web', 'k')).not.toBe(claimKey('webk', ''));
});
