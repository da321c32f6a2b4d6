import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aPng } from '../../test/support/api-pair.js';
import { LARGE, openUploadBench, type UploadBench } from '../../test/support/upload-bench.js';

let bench: UploadBench;
beforeEach(async () => {
  bench = await openUploadBench();
});
afterEach(() => bench.close());

describe('an upload', () => {
  it.each([['small', 1_000] as const, ['large', LARGE] as const])(
    'that is %s is in the catalog as saving, with its jobs, when it is acknowledged',
    async (_size, bytes) => {
      const data = aPng(bytes);
      const { status, body, headers } = await bench.send([
        ['title', 'before'],
        ['file', data],
        ['tags', 'a, b'],
        ['tags', 'c'],
        ['category', 'after'],
      ]);
      expect(status).toBe(202);
      const media = body['media'] as { id: string };
      expect(headers.get('location')).toBe(`/api/media/${media.id}`);
      expect(media).toMatchObject({
        status: 'saving',
        title: 'before',
        category: 'after',
        tags: ['a', 'b', 'c'],
        bytes,
        filename: 'a.png',
      });
      expect(await bench.catalog.find(media.id)).toMatchObject({
        status: 'saving',
        checksum: { sha256: createHash('sha256').update(data).digest('hex') },
      });
      expect(
        await bench.redis.client.exists(
          `{holdfast}:save:save-${media.id}-1`,
          `{holdfast}:verify:verify-${media.id}-1`,
        ),
      ).toBe(2);
    },
  );

  it('is acknowledged and kept when a job cannot be added', async () => {
    await bench.redis.client.del('{holdfast}:save:meta');
    await bench.redis.client.set('{holdfast}:save:meta', 'no hash');
    const { status, body } = await bench.send([['file', aPng()]]);
    expect(status).toBe(202);
    const { id } = body['media'] as { id: string };
    expect((await bench.catalog.find(id))?.status).toBe('saving');
    expect(await bench.redis.client.hget(`{holdfast}:intent:${id}`, 'state')).toBe('settled');
    expect(await bench.redis.client.exists(`{holdfast}:verify:verify-${id}-1`)).toBe(1);
  });

  it('with a matching digest is taken', async () => {
    const data = aPng();
    const digest = createHash('sha256').update(data).digest('base64');
    expect((await bench.send([['file', data]], { 'Repr-Digest': `sha-256=:${digest}:` })).status).toBe(202);
  });

  it('of a raw kind keeps its extension in the public id', async () => {
    const zip = Buffer.concat([Buffer.from('504b0304140000000000', 'hex'), randomBytes(500)]);
    const { status, body } = await bench.send([['file', zip, 'a.zip']]);
    expect(status).toBe(202);
    expect(body['media']).toMatchObject({
      resourceType: 'raw',
      publicId: expect.stringMatching(/^holdfast\/[0-9A-Z]{26}\.zip$/) as string,
    });
  });
});
