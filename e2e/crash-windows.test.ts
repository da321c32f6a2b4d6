import { expect, it } from 'vitest';
import { failpoints } from '@holdfast/shared/failpoint';
import { audit, type Acknowledged } from './harness/audit.js';
import { aPng, type ApiClient } from './harness/client.js';
import { deploymentOf, type HostKind } from './harness/deployment.js';

/** Larger than what is read whole, so that the bytes are on the host before the commit mark. */
const LARGE = 600_000;
const SMALL = 2_000;

/** An upload whose answer may never come: what was acknowledged, or null. */
async function tryUpload(client: ApiClient, data: Buffer): Promise<Acknowledged | null> {
  try {
    const { status, body } = await client.upload(data);
    return status === 201 || status === 202 ? { id: body.media.id, data } : null;
  } catch {
    return null;
  }
}

/** Uploads with a key have crash windows of their own, see keyed-crashes.test.ts. */
const ofApi = failpoints.filter((step) => step.startsWith('upload.') && step !== 'upload.claimed');
const ofWorker = failpoints.filter((step) => !step.startsWith('upload.'));
/** Steps that only a body which streams through reaches. */
const onlyLarge = new Set<string>(['upload.bytes-begun', 'upload.bytes-stored']);
const apiCases = ofApi.flatMap((step) =>
  [LARGE, SMALL].filter((bytes) => bytes === LARGE || !onlyLarge.has(step)).map((bytes) => ({ step, bytes })),
);

// One deployment lives through all crashes of its kind, so that what they leave is waited for once, not each time.
// The three kinds mostly wait, so they wait together.
it.concurrent.for<HostKind>(['cloudinary', 'local'])(
  'S1: loses nothing and leaves nothing when the API dies at every step of an upload in turn, with the %s host',
  async (host, context) => {
    const deployment = await deploymentOf(context, host);
    await deployment.startWorker();
    const acknowledged: Acknowledged[] = [];
    for (const { step, bytes } of apiCases) {
      const { program, client } = await deployment.startApi({ HOLDFAST_FAILPOINT: `${step}:kill:2` });
      const first = await tryUpload(client, aPng(bytes));
      expect(first, step).not.toBeNull();
      if (first !== null) acknowledged.push(first);
      expect(await tryUpload(client, aPng(bytes)), step).toBeNull();
      expect(await program.ended, step).toBe('SIGKILL');
      expect(program.raw).toContain(`FP ${step}`);
    }
    const { client } = await deployment.startApi();
    expect(acknowledged).toHaveLength(apiCases.length);
    await audit(deployment, client, acknowledged, 120_000);
  },
);

it.concurrent(
  'S2: finishes every job although a worker dies at every step of save and verify in turn',
  async (context) => {
    const deployment = await deploymentOf(context);
    const { client } = await deployment.startApi();
    const acknowledged: Acknowledged[] = [];
    for (const step of ofWorker) {
      const dying = await deployment.startWorker({ HOLDFAST_FAILPOINT: `${step}:kill` });
      const upload = await tryUpload(client, aPng());
      if (upload !== null) acknowledged.push(upload);
      expect(await dying.ended, step).toBe('SIGKILL');
    }
    await deployment.startWorker();
    expect(acknowledged).toHaveLength(ofWorker.length);
    const items = await audit(deployment, client, acknowledged, 60_000);
    expect(items.map((media) => media.lastError)).toEqual(items.map(() => null));
  },
);

it.concurrent('S2: finishes in one attempt a job in which three workers died', async (context) => {
  const deployment = await deploymentOf(context);
  const { client } = await deployment.startApi();
  const data = aPng();
  const { status, body } = await client.upload(data);
  expect(status).toBe(202);
  for (let death = 0; death < 3; death += 1) {
    const dying = await deployment.startWorker({ HOLDFAST_FAILPOINT: 'verify.read-back:kill' });
    expect(await dying.ended).toBe('SIGKILL');
    // As if the time of its lock were over.
    const locks = await deployment.redis.client.keys('{holdfast}:verify:*:lock');
    expect(locks).toHaveLength(1);
    await deployment.redis.client.del(locks);
  }
  await deployment.startWorker();
  const [media] = await audit(deployment, client, [{ id: body.media.id, data }], 60_000);
  expect(media).toMatchObject({ persistence: { attempts: 1 }, lastError: null });
});
