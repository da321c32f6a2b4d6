import { afterEach, describe, expect, it } from 'vitest';
import { failpoints } from '@holdfast/shared/failpoint';
import { audit, type Acknowledged } from './harness/audit.js';
import { aPng, type ApiClient } from './harness/client.js';
import { createDeployment, type Deployment, type HostKind } from './harness/deployment.js';

/** Larger than what is read whole, so that the bytes are on the host before the commit mark. */
const LARGE = 600_000;
const SMALL = 2_000;

let deployment: Deployment | undefined;
afterEach(async () => {
  await deployment?.close();
  deployment = undefined;
});

/** An upload whose answer may never come: what was acknowledged, or null. */
async function tryUpload(client: ApiClient, data: Buffer): Promise<Acknowledged | null> {
  try {
    const { status, body } = await client.upload(data);
    return status === 201 || status === 202 ? { id: body.media.id, data } : null;
  } catch {
    return null;
  }
}

const ofApi = failpoints.filter((step) => step.startsWith('upload.'));
const ofWorker = failpoints.filter((step) => !step.startsWith('upload.'));
/** Steps that only a body which streams through reaches. */
const onlyLarge = new Set<string>(['upload.bytes-begun', 'upload.bytes-stored']);

const apiCases = ofApi.flatMap((step) =>
  [LARGE, SMALL].filter((bytes) => bytes === LARGE || !onlyLarge.has(step)).map((bytes) => ({ step, bytes })),
);

describe.each<HostKind>(['cloudinary', 'local'])('with the %s host', (host) => {
  it.each(apiCases)(
    'loses nothing and leaves nothing when the API dies at $step with $bytes bytes',
    { timeout: 120_000 },
    async ({ step, bytes }) => {
      deployment = await createDeployment(host);
      const { program, client } = await deployment.startApi({ HOLDFAST_FAILPOINT: `${step}:kill:2` });
      await deployment.startWorker();
      const first = await tryUpload(client, aPng(bytes));
      expect(first).not.toBeNull();
      const cut = await tryUpload(client, aPng(bytes));
      expect(await program.ended).toBe('SIGKILL');
      expect(program.raw).toContain(`FP ${step}`);
      expect(cut).toBeNull();
      const next = await deployment.startApi();
      const after = await tryUpload(next.client, aPng(bytes));
      const acknowledged = [first, after].filter((entry) => entry !== null);
      expect(acknowledged).toHaveLength(2);
      await audit(deployment, next.client, acknowledged, 90_000);
    },
  );
});

it.each(ofWorker)('finishes the job when a worker dies at %s', { timeout: 120_000 }, async (step) => {
  deployment = await createDeployment('cloudinary');
  const { client } = await deployment.startApi();
  const dying = await deployment.startWorker({ HOLDFAST_FAILPOINT: `${step}:kill` });
  const acknowledged = await tryUpload(client, aPng());
  expect(acknowledged).not.toBeNull();
  expect(await dying.ended).toBe('SIGKILL');
  await deployment.startWorker();
  const [media] = await audit(deployment, client, acknowledged === null ? [] : [acknowledged], 60_000);
  expect(media?.lastError).toBeNull();
});
