import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { audit } from './harness/audit.js';
import { aPng, sha256, type ApiClient } from './harness/client.js';
import { createDeployment, type Deployment, type HostKind } from './harness/deployment.js';

describe.each<HostKind>(['local', 'cloudinary'])('with the %s host', (host) => {
  let deployment: Deployment;
  let client: ApiClient;
  beforeAll(async () => {
    deployment = await createDeployment(host);
    [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  });
  afterAll(() => deployment.close());

  it.each([
    ['a small file, hashed before it is sent', 5_000],
    ['a file that streams through', 3_000_000],
  ])('keeps %s, byte for byte, and verifies its record', async (_name, bytes) => {
    const data = aPng(bytes);
    const fields = {
      title: 'Größe "1" = |2|\\ 🌊',
      description: 'line\r\nline',
      category: 'nature',
      tags: 'sea,été',
    };
    const answer = await client.upload(data, fields, { Prefer: 'wait=20' }, 'Ünï "x".png');
    expect(answer.status).toBe(201);
    const { media } = answer.body;
    expect(answer.headers.get('location')).toContain(media.id);
    expect(media).toMatchObject({
      status: 'verified',
      bytes,
      width: 1,
      height: 1,
      format: 'png',
      filename: 'Ünï "x".png',
      title: fields.title,
      description: fields.description,
      tags: ['sea', 'été'],
      checksum: { sha256: sha256(data) },
      persistence: { level: 'fsynced', attempts: 1 },
      lastError: null,
    });
    const read = await client.media(media.id);
    expect(read.body).toEqual(media);
    await audit(deployment, client, [{ id: media.id, data, title: fields.title }]);
  });

  it('is found right after a 202, whatever its state', async () => {
    const { status, body } = await client.upload(aPng());
    expect(status).toBe(202);
    const read = await client.media(body.media.id);
    expect(read.status).toBe(200);
    expect(['saving', 'verified']).toContain(read.body.status);
  });

  it('comes back field for field, with the same ids, after Redis was wiped', async () => {
    for (let count = 0; count < 5; count += 1)
      await client.upload(aPng(), { title: `t${String(count)}`, tags: 'a,b' }, { Prefer: 'wait=20' });
    const before = await client.all();
    await deployment.redis.client.flushall();
    const run = await client.sync('full');
    expect(run).toMatchObject({ status: 200, body: { result: 'ok' } });
    const after = await audit(deployment, client, []);
    expect(after.map(withoutMeasured)).toEqual(before.map(withoutMeasured));
  });
});

function withoutMeasured(media: Record<string, unknown>): Record<string, unknown> {
  const { status, persistence, lastError, ...rest } = media;
  expect({ status, persistence, lastError }).toMatchObject({ status: 'verified' });
  return rest;
}
