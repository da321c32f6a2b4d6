import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { failpoints } from '@holdfast/shared/failpoint';
import { audit } from './harness/audit.js';
import { aPng, type ApiClient } from './harness/client.js';
import { deploymentOf, type HostKind } from './harness/deployment.js';

/** Larger than what is read whole, so that the bytes are on the host before the commit mark. */
const LARGE = 600_000;
const SMALL = 2_000;

interface Acknowledged {
  id: string;
  replayed: boolean;
}

const keyed = (client: ApiClient, data: Buffer, key: string) =>
  client.upload(data, { title: key }, { 'Idempotency-Key': key });

/** As a careful client does it: again when the answer says that it may be tried again, and not before. */
async function retry(client: ApiClient, data: Buffer, key: string): Promise<Acknowledged> {
  const until = performance.now() + 60_000;
  for (;;) {
    const { status, headers, body } = await keyed(client, data, key);
    if (status === 202) {
      return { id: body.media.id, replayed: headers.get('idempotent-replayed') === 'true' };
    }
    const retryAfterMs = Number(headers.get('retry-after') ?? Number.NaN) * 1_000;
    const mayTryAgain = performance.now() + retryAfterMs < until;
    if (!mayTryAgain) throw new Error(`${key}: ${String(status)} ${JSON.stringify(body)}`);
    await pause(retryAfterMs);
  }
}

const ofApi = failpoints.filter((step) => step.startsWith('upload.'));
/** Steps that only a body which streams through reaches. */
const onlyLarge = new Set<string>(['upload.bytes-begun', 'upload.bytes-stored']);
/** Small bodies take the same steps on both hosts. */
const sizesOn: Record<HostKind, readonly number[]> = { cloudinary: [LARGE, SMALL], local: [LARGE] };
const casesOn = (host: HostKind) =>
  ofApi.flatMap((step) =>
    sizesOn[host]
      .filter((bytes) => bytes === LARGE || !onlyLarge.has(step))
      .map((bytes) => ({ step, bytes })),
  );

// All kinds mostly wait for leases to run out, so they wait together.
it.concurrent.for<HostKind>(['cloudinary', 'local'])(
  'S1: makes one file of each key although the first try dies at every step in turn, with the %s host',
  async (host, context) => {
    const deployment = await deploymentOf(context, host);
    await deployment.startWorker();
    const tries: { key: string; data: Buffer }[] = [];
    for (const { step, bytes } of casesOn(host)) {
      const { program, client } = await deployment.startApi({ HOLDFAST_FAILPOINT: `${step}:kill` });
      const first = { key: `${step}-${String(bytes)}`, data: aPng(bytes) };
      await expect(keyed(client, first.data, first.key), first.key).rejects.toThrow(/fetch failed/);
      expect(await program.ended, first.key).toBe('SIGKILL');
      expect(program.raw).toContain(`FP ${step}`);
      tries.push(first);
    }
    const [{ client }, { client: other }] = [await deployment.startApi(), await deployment.startApi()];
    // Through two APIs at once, so that the retries race too.
    const retried = await Promise.all(
      tries.map(({ key, data }) => Promise.all([retry(client, data, key), retry(other, data, key)])),
    );
    for (const [index, [one, two]] of retried.entries()) expect(one.id, tries[index]?.key).toBe(two.id);
    const acknowledged = tries.map(({ key, data }, index) => ({
      id: retried[index]?.[0].id ?? '',
      data,
      title: key,
    }));
    const items = await audit(deployment, client, acknowledged, 120_000);
    expect(items).toHaveLength(tries.length);
    const replayed = await Promise.all(tries.map(({ key, data }) => retry(other, data, key)));
    expect(replayed).toEqual(acknowledged.map(({ id }) => ({ id, replayed: true })));
  },
);

it.concurrent('S19: finds the same file for a key after Redis was emptied', async (context) => {
  const deployment = await deploymentOf(context);
  const { client: redis } = deployment.redis;
  await deployment.startWorker();
  const { client } = await deployment.startApi();
  await vi.waitFor(async () => expect(await redis.exists('{holdfast}:born')).toBe(1));
  const uploads = Array.from({ length: 3 }, (_, index) => ({ key: `k${String(index)}`, data: aPng() }));
  const first = await Promise.all(uploads.map(({ key, data }) => retry(client, data, key)));
  // An edit must not free the key.
  await client.call(`/api/media/${first[0]?.id ?? ''}`, {
    method: 'PATCH',
    body: JSON.stringify({ description: 'edited' }),
    headers: { 'Content-Type': 'application/json' },
  });
  await vi.waitFor(async () =>
    expect((await client.all()).map(({ status }) => status)).toEqual(Array(3).fill('verified')),
  );
  await redis.flushall();
  const again = await Promise.all(uploads.map(({ key, data }) => retry(client, data, key)));
  expect(again).toEqual(first.map(({ id }) => ({ id, replayed: true })));
  await vi.waitFor(async () => expect(await client.all()).toHaveLength(3));
  // Snapshots of the catalog have another delivery type than media.
  const assets = await deployment.emulator?.assets.list();
  expect(assets?.filter(({ type }) => type === 'upload')).toHaveLength(3);
});
