import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { claimKey, type HeldClaim } from '@holdfast/shared/idempotency';
import { firstFields, newMediaId, publicIdFor, writeHostMetadata } from '@holdfast/shared/media';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { aPng, sha256, startApiPair, upload, type ApiPair } from '../../test/support/api-pair.js';
import { createShares } from '@holdfast/shared/http';
import { createShutdown } from '../http/shutdown.js';
import { takeClaim } from './idempotency.js';
import type { Uploads } from './uploads.js';

let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());

const LARGE = 600_000;
const isReplayed = (answer: { headers: Headers }): boolean =>
  answer.headers.get('idempotent-replayed') === 'true';

/** A first try that died: it has the claim, and its lease has run out. */
async function deadTry({ a, prefix }: ApiPair, key: string, id: string): Promise<HeldClaim> {
  const reply = await a.deps.uploads.claims.claim(claimKey('anonymous', key), id, null);
  if (reply.state !== 'held') throw new Error(`the claim is ${reply.state}`);
  await a.deps.intents.open(id, publicIdFor('holdfast', id), 100);
  await endLease(prefix, key);
  return reply.claim;
}

/** As if the process that holds the claim had been silent for so long. */
async function endLease(prefix: string, key: string): Promise<void> {
  await redis.client.hset(`{${prefix}}:idem:${claimKey('anonymous', key)}`, 'lease', '0');
}

it.each([
  ['local', 1_000],
  ['local', LARGE],
  ['cloudinary', 1_000],
  ['cloudinary', LARGE],
] as const)(
  'S19: makes one file of two requests that race over two APIs (%s host, %i bytes)',
  async (kind, bytes) => {
    const pair = await startApiPair(redis, kind);
    const data = aPng(bytes);
    const answers = await Promise.all([
      upload(pair.a, data, { key: 'k' }),
      upload(pair.b, data, { key: 'k' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    expect(answers[0].body.media.id).toBe(answers[1].body.media.id);
    expect(answers.filter(isReplayed)).toHaveLength(1);
    expect(await pair.assets()).toHaveLength(1);
    expect((await pair.a.deps.catalog.counts()).total).toBe(1);
    expect(await redis.client.zcard(`{${pair.prefix}}:intents`)).toBe(1);
  },
);

it('replays a finished request with the record as it is now, through any API', async () => {
  const { a, b, assets } = await startApiPair(redis, 'local');
  const data = aPng();
  const fields = { title: 'first', tags: 'a,b' };
  const first = await upload(a, data, { key: 'k', fields });
  expect({ status: first.status, replayed: isReplayed(first) }).toEqual({ status: 202, replayed: false });
  const { id } = first.body.media;
  await a.call('PATCH', `/api/media/${id}`, { title: 'second' });
  const again = await upload(b, data, { key: 'k', fields });
  expect({ status: again.status, replayed: isReplayed(again) }).toEqual({ status: 202, replayed: true });
  expect(again.headers.get('location')).toBe(`/api/media/${id}`);
  expect(again.body).toMatchObject({ media: { id, title: 'second' }, links: first.body.links });
  expect(await assets()).toHaveLength(1);
});

it('compares the digest of a request that it would replay, too', async () => {
  const { a } = await startApiPair(redis, 'local');
  const data = aPng();
  await upload(a, data, { key: 'k' });
  const digestOf = (hex: string): string => `sha-256=:${Buffer.from(hex, 'hex').toString('base64')}:`;
  const again = async (digest: string) => upload(a, data, { key: 'k', headers: { 'Repr-Digest': digest } });
  expect((await again(digestOf(sha256(aPng(900))))).body).toMatchObject({
    status: 400,
    code: 'DIGEST_MISMATCH',
  });
  expect((await again('sha-256=bad')).body).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
  expect(isReplayed(await again(digestOf(sha256(data))))).toBe(true);
});

it('S19: refuses a key that was used for another request, and leaves the first one as it was', async () => {
  const { a, b, assets } = await startApiPair(redis, 'local');
  const data = aPng();
  const fields = { title: 'a' };
  const { body } = await upload(a, data, { key: 'k', fields });
  for (const other of [
    () => upload(b, aPng(), { key: 'k', fields }),
    () => upload(b, aPng(LARGE), { key: 'k', fields }),
    () => upload(b, Buffer.from('text'), { key: 'k', fields }),
    () => upload(b, data, { key: 'k', fields: { title: 'b' } }),
    () => upload(b, data, { key: 'k', fields, filename: 'b.png' }),
    () => upload(b, data, { key: 'k', fields, query: '?duplicates=keep' }),
  ])
    expect(await other()).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_MISMATCH' } });
  expect((await assets()).map(({ publicId }) => publicId)).toEqual([body.media.publicId]);
  expect((await upload(b, data, { key: 'k', fields })).body.media.id).toBe(body.media.id);
});

it('keeps the keys of different clients apart', async () => {
  const keys = { API_KEYS: 'one:write:secret-one-1234567,two:write:secret-two-1234567' };
  const { a, b } = await startApiPair(redis, 'local', keys);
  const data = aPng();
  const as = (name: string) => ({ key: 'k', headers: { 'X-API-Key': `secret-${name}-1234567` } });
  const one = await upload(a, data, as('one'));
  const two = await upload(b, data, as('two'));
  expect([one.status, two.status]).toEqual([202, 202]);
  expect(two.body.media.id).not.toBe(one.body.media.id);
});

it('frees the key of a refused request', async () => {
  const { a, b, assets, prefix } = await startApiPair(redis, 'local');
  const refused = await upload(a, aPng(LARGE), { key: 'k', fields: { title: 'x'.repeat(501) } });
  expect(refused.status).toBe(400);
  expect(await redis.client.keys(`{${prefix}}:idem*`)).toEqual([]);
  expect((await upload(b, aPng(), { key: 'k' })).status).toBe(202);
  expect(await assets()).toHaveLength(1);
});

it.each([
  ['empty', ''],
  ['256 characters long', 'x'.repeat(256)],
  ['not printable ASCII', 'kü'],
])('refuses a key that is %s', async (_what, key) => {
  const { a, assets } = await startApiPair(redis, 'local');
  expect(await upload(a, aPng(), { key })).toMatchObject({
    status: 400,
    body: { code: 'INVALID_REQUEST', errors: [{ path: 'Idempotency-Key' }] },
  });
  expect(await assets()).toEqual([]);
});

it.each(['local', 'cloudinary'] as const)(
  'takes over from a try that died, under the same id, and replaces what it had sent (%s host)',
  async (kind) => {
    const pair = await startApiPair(redis, kind);
    const { a, b } = pair;
    const id = newMediaId();
    const claim = await deadTry(pair, 'k', id);
    // Other bytes, of another type: the client may have changed its mind, nobody has heard of the first ones.
    const publicId = publicIdFor('holdfast', id, 'zip');
    await a.deps.intents.describe(id, publicId);
    await a.deps.host.put({
      ref: { publicId, resourceType: 'raw' },
      metadata: writeHostMetadata({
        mark: { state: 'started', deadlineSeconds: 60 },
        fields: firstFields({ id, filename: 'a.zip', uploadedBy: 'anonymous', source: 'upload' }, new Date()),
      }),
      body: Buffer.from('half of an archive'),
      signal: AbortSignal.timeout(5_000),
    });
    const data = aPng(LARGE);
    const { status, body } = await upload(b, data, { key: 'k' });
    expect({ status, id: body.media?.id }).toEqual({ status: 202, id: claim.id });
    const [asset, ...others] = await pair.assets();
    expect(others).toEqual([]);
    expect(asset).toMatchObject({ resourceType: 'image', bytes: data.length, context: { hf: '1' } });
  },
);

it('leaves what a dead try has committed to the next one, also when that one fails', async () => {
  const pair = await startApiPair(redis, 'local');
  const { a, b, prefix } = pair;
  const data = aPng(LARGE);
  // The first try has done everything but to say so: neither its record nor its claim was finished.
  const first = await upload(a, data, { key: 'k' });
  const { id } = first.body.media;
  await redis.client.del(`{${prefix}}:m:${id}`);
  await redis.client.hset(`{${prefix}}:intent:${id}`, 'state', 'live');
  await redis.client.hset(`{${prefix}}:idem:${claimKey('anonymous', 'k')}`, 'state', 'running', 'lease', '0');
  expect(await upload(b, aPng(), { key: 'k' })).toMatchObject({ status: 422 });
  expect(await upload(b, data, { key: 'k', fields: { title: 'x'.repeat(501) } })).toMatchObject({
    status: 400,
  });
  expect(await pair.assets()).toHaveLength(1);
  const third = await upload(b, data, { key: 'k', headers: { Prefer: 'wait=1' } });
  expect({ status: third.status, id: third.body.media?.id }).toEqual({ status: 202, id });
  expect(await a.deps.catalog.find(id)).toMatchObject({ checksum: { sha256: sha256(data) } });
  expect(await pair.assets()).toHaveLength(1);
});

it('leaves to its successor what it would acknowledge, or undo, after a pause', async () => {
  const pair = await startApiPair(redis, 'cloudinary');
  const data = aPng(LARGE);
  const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';
  const body = Buffer.concat([Buffer.from(head), data, Buffer.from('\r\n--b--\r\n')]);
  const paused = connect(pair.a.port, '127.0.0.1');
  await once(paused, 'connect');
  let answer = '';
  paused.on('data', (chunk: Buffer) => {
    answer += chunk.toString();
  });
  paused.write(
    `POST /api/media/upload HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${String(body.length)}\r\n\r\n`,
  );
  paused.write(body.subarray(0, 1_000));
  await vi.waitFor(async () => expect(await redis.client.zcard(`{${pair.prefix}}:intents`)).toBe(1));
  await endLease(pair.prefix, 'k');
  const second = await upload(pair.b, data, { key: 'k' });
  expect(second.status).toBe(202);
  paused.write(body.subarray(1_000));
  await vi.waitFor(() => expect(answer).toMatch(/^HTTP\/1.1 503/));
  paused.destroy();
  expect(answer).toContain('UPLOAD_EXPIRED');
  const [asset, ...others] = await pair.assets();
  expect(others).toEqual([]);
  expect(asset?.context).toMatchObject({ hf: '1', hf_id: second.body.media.id, hf_sha256: sha256(data) });
  const again = await upload(pair.a, data, { key: 'k' });
  expect({ id: again.body.media?.id, replayed: isReplayed(again) }).toEqual({
    id: second.body.media.id,
    replayed: true,
  });
});

it('waits until what the sweep is removing is gone, then continues under the same id', async () => {
  const pair = await startApiPair(redis, 'local');
  const id = newMediaId();
  await deadTry(pair, 'k', id);
  await redis.client.hset(`{${pair.prefix}}:intent:${id}`, 'state', 'dead');
  const early = await upload(pair.a, aPng(), { key: 'k' });
  expect(early).toMatchObject({ status: 503, body: { code: 'OVERLOADED' } });
  expect(early.headers.get('retry-after')).not.toBeNull();
  await pair.a.deps.intents.drop(id);
  const late = await upload(pair.b, aPng(), { key: 'k' });
  expect({ status: late.status, id: late.body.media?.id }).toEqual({ status: 202, id });
});

it('does not decide about a key while the catalog may have forgotten it', async () => {
  const { a, prefix, assets } = await startApiPair(redis, 'local');
  const born = `{${prefix}}:born`;
  await redis.client.set(born, '1');
  const data = aPng();
  expect((await upload(a, data, { key: 'k' })).status).toBe(202);
  // Emptied, as far as this deployment goes.
  await redis.client.del(...(await redis.client.keys(`{${prefix}}:*`)));
  const asked = await upload(a, data, { key: 'k' });
  expect(asked).toMatchObject({ status: 503, body: { code: 'CATALOG_REBUILDING' } });
  expect(asked.headers.get('retry-after')).not.toBeNull();
  // A new catalog has begun, and its recovery runs.
  await redis.client.set(born, '2');
  await redis.client.set(
    `{${prefix}}:sync:run`,
    JSON.stringify({ run: { trigger: 'recovery', created: 0, findings: [] }, progress: {} }),
  );
  for (let asks = 0; asks < 5; asks += 1)
    expect(await upload(a, data, { key: 'k' })).toMatchObject({ body: { code: 'CATALOG_REBUILDING' } });
  expect(await redis.client.keys(`{${prefix}}:idem*`)).toEqual([]);
  // Restored, as the recovery does with every key that it meets.
  const { claims } = a.deps.uploads;
  await claims.restore(
    [{ key: claimKey('anonymous', 'k'), fingerprint: '0'.repeat(32), id: 'x', keepMs: 60_000 }],
    null,
  );
  await vi.waitFor(async () => expect(await upload(a, data, { key: 'k' })).toMatchObject({ status: 422 }), {
    interval: 200,
  });
  // Without a key nobody needs to know.
  expect((await upload(a, data)).status).toBe(202);
  expect(await assets()).toHaveLength(2);
});

it('decides at once about a key where the catalog was refilled unseen', async () => {
  const { a, b, prefix } = await startApiPair(redis, 'local');
  const born = `{${prefix}}:born`;
  await redis.client.set(born, '1');
  const data = aPng();
  const { media } = (await upload(a, data, { key: 'k' })).body;
  // The other one gets to know the catalog, too.
  expect((await upload(b, data, { key: 'k' })).status).toBe(202);
  expect((await upload(b, aPng(), { key: 'l' })).status).toBe(202);
  const held = await redis.client.hgetall(`{${prefix}}:idem:${claimKey('anonymous', 'k')}`);
  const stored = await a.deps.catalog.find(media.id);
  await redis.client.del(...(await redis.client.keys(`{${prefix}}:*`)));
  // Its recovery has come and gone while nobody asked these processes.
  await redis.client.set(born, '2');
  await redis.client.hset(a.deps.keys.syncState, 'lastFullAt', new Date().toISOString());
  if (stored !== null) await a.deps.catalog.save(stored);
  await a.deps.uploads.claims.restore(
    [{ key: claimKey('anonymous', 'k'), fingerprint: held['print'] ?? '', id: media.id, keepMs: 60_000 }],
    null,
  );
  const again = await upload(a, data, { key: 'k' });
  expect({ status: again.status, replayed: isReplayed(again) }).toEqual({ status: 202, replayed: true });
  expect(again.body.media.id).toBe(media.id);
  expect((await upload(b, aPng(), { key: 'new' })).status).toBe(202);
});

describe('taking a claim', () => {
  const claimRequest = { client: 'web', key: 'k', waiter: 'key-web' };
  const never = new AbortController().signal;

  it('decides nothing about a key where it cannot learn what became of the catalog', async () => {
    // As where Redis answers the script, and not what is asked after it.
    const claim = vi
      .fn<() => Promise<{ state: string }>>()
      .mockResolvedValueOnce({ state: 'emptied' })
      .mockResolvedValue({ state: 'done' });
    const deps = {
      claims: { claim },
      rebuilding: { isOn: () => Promise.resolve(false), knownEpoch: () => '1' },
      claimWaitMs: 0,
    } as unknown as Uploads;
    await expect(takeClaim(deps, claimRequest, never)).rejects.toMatchObject({ code: 'CATALOG_REBUILDING' });
    expect(claim).toHaveBeenCalledTimes(1);
  });

  it('lets so many wait, the clients in turns, and refuses others at once', async () => {
    const claim = vi.fn<() => Promise<object>>().mockResolvedValue({ state: 'running', leaseMs: 9_000 });
    const deps = {
      claims: { claim },
      rebuilding: { knownEpoch: () => '1' },
      claimWaitMs: 60_000,
      waiters: createShares(2),
      shutdown: createShutdown(),
    } as unknown as Uploads;
    const left = new AbortController();
    const wait = (waiter: string) => takeClaim(deps, { ...claimRequest, waiter }, left.signal);
    const inProgress = { code: 'IDEMPOTENCY_IN_PROGRESS', retryAfterSeconds: 9 };
    const [first, second] = [wait('a'), wait('a')];
    await expect(wait('a')).rejects.toMatchObject(inProgress);
    const other = wait('b');
    await expect(first).rejects.toMatchObject(inProgress);
    left.abort();
    await expect(Promise.allSettled([second, other])).resolves.toEqual([
      { status: 'rejected', reason: expect.objectContaining({ code: 'CLIENT_ABORTED' }) as unknown },
      { status: 'rejected', reason: expect.objectContaining({ code: 'CLIENT_ABORTED' }) as unknown },
    ]);
    expect(deps.waiters.running).toBe(0);
  });
});
