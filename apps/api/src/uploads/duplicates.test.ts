import { afterAll, beforeAll, expect, it } from 'vitest';
import { aRecord, proofOf, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { aPng, startApiPair, upload, type ApiPair } from '../../test/support/api-pair.js';

let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());

const query = '?duplicates=return';
const keys = 'one:write:secret-one-1234567,two:write:secret-two-1234567';
const as = (name: string) => ({ 'X-API-Key': `secret-${name}-1234567` });
const LARGE = 600_000;

const uploadsOn = async ({ emulator }: ApiPair): Promise<number> =>
  (await emulator?.requests.recent())?.filter(({ endpoint }) => endpoint.includes('upload')).length ?? 0;

it.each([
  ['saving', 1_000],
  ['saving', LARGE],
  ['verified', 1_000],
] as const)(
  'answers with the media that is %s, and keeps nothing of a copy of %i bytes',
  async (status, bytes) => {
    const pair = await startApiPair(redis, 'cloudinary');
    const data = aPng(bytes);
    const first = await upload(pair.a, data, { fields: { title: 'first' } });
    const { id } = first.body.media;
    const { catalog } = pair.a.deps;
    const record = (await catalog.find(id)) ?? aRecord();
    if (status === 'verified') await catalog.markVerified('fsynced', new Date(), [proofOf(record)]);
    await pair.emulator?.requests.reset();
    const copy = await upload(pair.b, data, { query, fields: { title: 'copy' } });
    expect(copy).toMatchObject({
      status: 200,
      body: { duplicate: true, media: { id, status, title: 'first' }, links: first.body.links },
    });
    expect(copy.headers.get('location')).toBe(`/api/media/${id}`);
    expect((await pair.assets()).map(({ publicId }) => publicId)).toEqual([first.body.media.publicId]);
    // A small copy is never sent; a large one is, and removed.
    expect((await uploadsOn(pair)) > 0).toBe(bytes === LARGE);
    expect(await redis.client.hkeys(`{${pair.prefix}}:intent:${id}`)).toHaveLength(
      status === 'saving' ? 3 : 0,
    );
    expect((await pair.a.deps.catalog.counts()).total).toBe(1);
  },
);

it.each<[string, (pair: ApiPair, media: { id: string; assetId: string }) => Promise<unknown>]>([
  ['another client has', async () => undefined],
  ['the host has lost', ({ emulator }, { assetId }) => Promise.resolve(emulator?.assets.remove(assetId))],
  ['the host has damaged', ({ emulator }, { assetId }) => Promise.resolve(emulator?.assets.corrupt(assetId))],
  [
    'could not be verified',
    ({ a }, { id }) =>
      a.deps.catalog.noteFailure({
        id,
        revision: 1,
        attempts: 3,
        final: true,
        error: { code: 'RECORD_DIFFERS', message: 'differs' },
      }),
  ],
  ['was deleted', ({ a }, { id }) => a.call('DELETE', `/api/media/${id}`, undefined, as('one'))],
])('keeps a copy of what %s', async (what, prepare) => {
  const pair = await startApiPair(redis, 'cloudinary', { API_KEYS: keys });
  const data = aPng();
  const { body } = await upload(pair.a, data, { headers: as('one') });
  await prepare(pair, body.media);
  const client = what === 'another client has' ? 'two' : 'one';
  const copy = await upload(pair.b, data, { query, headers: as(client) });
  expect(copy.status).toBe(202);
  expect(copy.body).not.toHaveProperty('duplicate');
  expect(copy.body.media.id).not.toBe(body.media.id);
});

it('knows only keep and return', async () => {
  const { a } = await startApiPair(redis, 'local');
  for (const other of ['?duplicates=', '?duplicates=drop', '?duplicates=keep&duplicates=return'])
    expect(await upload(a, aPng(), { query: other })).toMatchObject({
      status: 400,
      body: { code: 'INVALID_REQUEST', errors: [{ path: 'duplicates' }] },
    });
});

it('remembers the duplicate under an Idempotency-Key', async () => {
  const { a, b, assets } = await startApiPair(redis, 'local');
  const data = aPng(LARGE);
  const { body } = await upload(a, data);
  const first = await upload(a, data, { query, key: 'k' });
  const again = await upload(b, data, { query, key: 'k' });
  for (const answer of [first, again])
    expect(answer).toMatchObject({ status: 200, body: { duplicate: true, media: { id: body.media.id } } });
  expect([first, again].map(({ headers }) => headers.get('idempotent-replayed'))).toEqual([null, 'true']);
  expect(await upload(b, aPng(), { query, key: 'k' })).toMatchObject({ status: 422 });
  expect(await assets()).toHaveLength(1);
});

it('keeps a copy unless the client asked otherwise', async () => {
  const { a, b } = await startApiPair(redis, 'local');
  const data = aPng();
  const ids = [
    await upload(a, data),
    await upload(b, data),
    await upload(a, data, { query: '?duplicates=keep' }),
  ].map(({ status, body }) => ({ status, id: body.media.id, duplicate: body.duplicate }));
  expect(ids.map(({ status, duplicate }) => ({ status, duplicate }))).toEqual(
    Array.from({ length: 3 }, () => ({ status: 202 })),
  );
  expect(new Set(ids.map(({ id }) => id)).size).toBe(3);
});
