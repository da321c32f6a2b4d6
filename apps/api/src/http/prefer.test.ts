import { expect, it, onTestFinished } from 'vitest';
import { startRedisSandbox } from '@holdfast/shared/testing';
import { aPng, upload } from '../../test/support/api-pair.js';
import { startApi } from '../../test/support/running-api.js';
import { readWait, waitInPlace } from './prefer.js';
import { createShares } from '@holdfast/shared/http';

it.each([
  [undefined, undefined],
  ['', undefined],
  ['wait=10', 10],
  ['respond-async, WAIT="5"; foo', 5],
  ['wait=0', 0],
  ['wait = 7', 7],
  ['wait=1, wait=2', 1],
  ['wait=9999999', 300],
  [`wait=${'9'.repeat(400)}`, 300],
  ['wait=-1', undefined],
  ['wait=soon', undefined],
  ['wait=1.5', undefined],
  ['await=3', undefined],
  ['x="a, wait=3", wait=4', 4],
  ['handling=lenient; x="a, wait=3"', undefined],
  [String.raw`x="a \", wait=3", wait=4`, 4],
  ['x="never closed, wait=3', undefined],
  ['foo; x=";", wait=6; y', 6],
])('reads %j', (header, seconds) => expect(readWait(header)).toBe(seconds));

it('ends the first wait of a client with all places when another client wants to wait', async () => {
  const waits = createShares(2);
  const { signal } = new AbortController();
  const wait = (client: string, name: string) =>
    waitInPlace(
      waits,
      client,
      signal,
      (ended) => new Promise<string>((resolve) => ended.addEventListener('abort', () => resolve(name))),
    );
  const first = wait('a', 'a1');
  void wait('a', 'a2');
  expect(await wait('a', 'a3')).toBeNull();
  void wait('b', 'b1');
  expect(await first).toBe('a1');
  expect(waits.running).toBe(2);
});

it('answers at once where a client has all places to wait', async () => {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  const api = await startApi(redis);
  onTestFinished(() => api.close());
  const { waits } = api.deps;
  while (waits.take('address-127.0.0.1', { giveUp: () => undefined }) !== null);
  const headers = { Prefer: 'wait=60' };
  const uploaded = await upload(api, aPng(), { headers });
  expect(uploaded.status).toBe(202);
  expect(uploaded.headers.get('preference-applied')).toBeNull();
  expect((await api.call('POST', '/api/media/sync-cloudinary', undefined, headers)).status).toBe(202);
});
