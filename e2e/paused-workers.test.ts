import { expect, it, vi } from 'vitest';
import { audit } from './harness/audit.js';
import { aPng, type Media } from './harness/client.js';
import { deploymentOf } from './harness/deployment.js';

const within = { timeout: 90_000, interval: 100 };

it.concurrent.for(['save.begun', 'save.written', 'verify.read-back', 'verify.confirmed'])(
  'S3: keeps an edit that was made while a worker stood still at %s, and then went on',
  async (step, context) => {
    const deployment = await deploymentOf(context);
    const { client } = await deployment.startApi();
    const paused = await deployment.startWorker({ HOLDFAST_FAILPOINT: `${step}:stop` });
    const data = aPng();
    const { body } = await client.upload(data, { title: 'old' });
    const { id } = body.media;
    await paused.waitForStop(`FP ${step}`);
    const edit = await client.call<Media>(`/api/media/${id}`, {
      method: 'PATCH',
      body: JSON.stringify({ title: 'new' }),
      headers: { 'Content-Type': 'application/json' },
    });
    expect(edit).toMatchObject({ status: 200, body: { title: 'new', revision: 2 } });
    const other = await deployment.startWorker();
    const verified = { status: 'verified', title: 'new', revision: 2 };
    await vi.waitFor(async () => {
      expect((await client.media(id)).body).toMatchObject(verified);
      // Its old job was given to the other worker too, which has ended it.
      expect(await deployment.redis.client.llen('{holdfast}:save:active')).toBe(0);
      expect(await deployment.redis.client.llen('{holdfast}:verify:active')).toBe(0);
    }, within);
    await other.stop();
    paused.signal('SIGCONT');
    // Verified by nobody but the one that had stood still: it is past what it had begun.
    const later = await client.upload(aPng(), {}, { Prefer: 'wait=30' });
    expect(later.body.media.status).toBe('verified');
    expect((await client.media(id)).body).toMatchObject(verified);
    const asset = (await deployment.emulator?.assets.list())?.find(({ publicId }) => publicId.endsWith(id));
    expect(asset?.context).toMatchObject({ title: 'new', hf_rev: '2' });
    await audit(deployment, client, [{ id, data, title: 'new' }]);
  },
);
