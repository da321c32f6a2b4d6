import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import type { Environment } from '@holdfast/foundation/config';
import { createTickets } from '@holdfast/shared/direct-uploads';
import { silentLogger, type Logger } from '@holdfast/foundation/logging';
import { newMediaId } from '@holdfast/shared/media';
import { onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { complete, post, sign } from '../../test/support/direct-upload.js';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

let redis: RedisSandbox;
let emulator: CloudinaryEmulator;
let api: RunningApi;

beforeAll(async () => {
  [redis, emulator] = await Promise.all([startRedisSandbox(), startCloudinaryEmulator()]);
  api = await startApi(redis, { CLOUDINARY_URL: emulator.cloudinaryUrl, UPLOAD_MAX_BYTES: '100000' });
});
afterAll(async () => {
  await api.close();
  await emulator.close();
  await redis.close();
});
beforeEach(async () => {
  await emulator.faults.clear();
  await emulator.configure({ clockOffsetMs: 0 });
});

const onHost = (id: string) => emulator.assets.get('image', `holdfast/${id}`);

/** Runs with an API of other settings on the same host. */
async function withApi(env: Environment, work: (other: RunningApi) => Promise<void>): Promise<void> {
  const other = await startApi(redis, { CLOUDINARY_URL: emulator.cloudinaryUrl, ...env });
  try {
    await work(other);
  } finally {
    await other.close();
  }
}

describe('a direct upload', () => {
  it('is answered although it is not verified yet when the process is to end', async () => {
    await withApi({}, async (other) => {
      const ticket = await sign(other);
      await post(ticket);
      const waiting = complete(other, ticket.id, { Prefer: 'wait=60' });
      await vi.waitFor(async () => expect(await other.deps.catalog.find(ticket.id)).not.toBeNull());
      await other.stop(AbortSignal.timeout(10_000));
      expect((await waiting).status).toBe(202);
    });
  });

  it.each(['a\nb', 'a\rb', 'a\r\nb'])('is taken with a line break in a tag: %j', async (tag) => {
    const ticket = await sign(api, { tags: [tag] });
    expect((await post(ticket)).status).toBe(200);
    const { body } = await complete(api, ticket.id);
    expect(body.media.tags).toEqual(['a\r\nb']);
  });

  it('becomes a media item with the fields of its ticket once the client completes it', async () => {
    const words = {
      title: 'a=b|c & "d" 🌊',
      description: 'line\nline',
      category: 'nature',
      tags: ['sea', 'été'],
    };
    const ticket = await sign(api, {
      filename: 'dir/Ünï.png',
      bytes: onePixelPng.length,
      type: 'image/png',
      ...words,
    });
    expect(Date.parse(ticket.expiresAt)).toBeGreaterThan(Date.now());
    const place = { asset_folder: 'holdfast', display_name: 'a=b|c - "d" 🌊' };
    expect(ticket.fields).toMatchObject(place);
    expect(await post(ticket)).toMatchObject({ status: 200, body: { bytes: onePixelPng.length } });
    // Not checked by us yet, so not yet a media item.
    expect((await onHost(ticket.id))?.context['hf']).toBe('2');
    expect((await api.call('GET', `/api/media/${ticket.id}`)).status).toBe(404);

    const answer = await complete(api, ticket.id);
    expect(answer.status).toBe(202);
    expect(answer.headers.get('location')).toBe(`/api/media/${ticket.id}`);
    expect(answer.body.media).toMatchObject({
      id: ticket.id,
      status: 'saving',
      publicId: `holdfast/${ticket.id}`,
      source: 'direct',
      filename: 'Ünï.png',
      uploadedBy: 'anonymous',
      revision: 1,
      bytes: onePixelPng.length,
      checksum: { sha256: null, md5: createHash('md5').update(onePixelPng).digest('hex') },
      ...words,
    });
    expect((await onHost(ticket.id))?.context['hf']).toBe('1');
    expect(await api.deps.queues.queues.save.getJob(`save-${ticket.id}-1`)).toBeDefined();
    expect((await api.call('GET', `/api/media/${ticket.id}`)).body).toEqual(answer.body.media);
    // The same word once more changes nothing.
    const again = await complete(api, ticket.id);
    expect(again.status).toBe(202);
    expect(again.body).toEqual(answer.body);
  });

  it('is accepted once when two completions race', async () => {
    const counts = async () => ({
      media: (await api.deps.catalog.counts()).total,
      assets: (await emulator.assets.list()).length,
    });
    const before = await counts();
    const ticket = await sign(api);
    await post(ticket);
    const answers = await Promise.all([complete(api, ticket.id), complete(api, ticket.id)]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    expect(answers[0]?.body).toEqual(answers[1]?.body);
    expect(await counts()).toEqual({ media: before.media + 1, assets: before.assets + 1 });
  });

  it('undoes no edit on the host that came between two words', async () => {
    const ticket = await sign(api, { title: 'signed' });
    await post(ticket);
    const { host } = api.deps;
    const annotate = host.annotate.bind(host);
    const late = vi.spyOn(host, 'annotate').mockImplementationOnce(async (...of) => {
      await complete(api, ticket.id);
      const edit = await api.call('PATCH', `/api/media/${ticket.id}`, { title: 'edited' });
      expect(edit.status).toBe(200);
      return annotate(...of);
    });
    try {
      expect((await complete(api, ticket.id)).status).toBe(202);
    } finally {
      late.mockRestore();
    }
    expect((await onHost(ticket.id))?.context).toMatchObject({
      hf_rev: '2',
      title: 'edited',
      caption: 'edited',
    });
  });

  it('is adopted even after Redis has lost its ticket: the asset proves it', async () => {
    const ticket = await sign(api, { title: 'kept' });
    await post(ticket);
    await redis.client.flushall();
    expect(await complete(api, ticket.id)).toMatchObject({ status: 202, body: { media: { title: 'kept' } } });
  });

  it('is adopted even when the first completion was lost after the commit mark', async () => {
    const ticket = await sign(api);
    await post(ticket);
    await complete(api, ticket.id);
    await redis.client.flushall();
    expect(await complete(api, ticket.id)).toMatchObject({
      status: 202,
      body: { media: { source: 'direct' } },
    });
  });
});

it('is refused once a sync has found that the account stored it under another name', async () => {
  const ticket = await sign(api);
  expect(await complete(api, ticket.id)).toMatchObject({ body: { code: 'UPLOAD_INCOMPLETE' } });
  await createTickets(redis.client, api.deps.keys).noteAltered(ticket.id);
  expect(await complete(api, ticket.id)).toMatchObject({
    status: 502,
    body: { code: 'HOST_ALTERS_UPLOADS' },
  });
});

describe('what does not keep the rules', () => {
  it('is removed when it is larger than allowed', async () => {
    const ticket = await sign(api, { bytes: 10 });
    await post(ticket, Buffer.concat([onePixelPng, Buffer.alloc(100_000)]));
    expect(await complete(api, ticket.id)).toMatchObject({
      status: 413,
      body: {
        code: 'FILE_TOO_LARGE',
        detail: `the file has ${String(onePixelPng.length + 100_000)} bytes, files may have at most 100000`,
      },
    });
    expect(await onHost(ticket.id)).toBeNull();
    // A right file may follow.
    await post(ticket);
    expect((await complete(api, ticket.id)).status).toBe(202);
  });

  it('is removed when the host took it for another kind than is accepted', async () => {
    const ticket = await sign(api);
    // The rules changed after the ticket was given out.
    await post(ticket);
    await withApi({ UPLOAD_ALLOWED_TYPES: 'video/*' }, async (strict) => {
      expect(await complete(strict, ticket.id)).toMatchObject({
        status: 415,
        body: {
          code: 'UNSUPPORTED_TYPE',
          detail: 'files of type png are not accepted; accepted types are video/*',
        },
      });
    });
    expect(await onHost(ticket.id)).toBeNull();
  });

  it('is removed when it came too late', async () => {
    const ticket = await sign(api);
    await post(ticket);
    const asset = await onHost(ticket.id);
    const context = { ...asset?.context, hf_exp: String(Date.now() - 3_600_000) };
    await emulator.assets.edit(asset?.assetId ?? '', { context });
    expect(await complete(api, ticket.id)).toMatchObject({ status: 404 });
    expect(await onHost(ticket.id)).toBeNull();
  });

  it('is remembered when the host does not remove it at once', async () => {
    const ticket = await sign(api);
    await post(ticket, Buffer.concat([onePixelPng, Buffer.alloc(100_000)]));
    await emulator.faults.add({ kind: 'error', match: { endpoint: 'destroy' } });
    expect((await complete(api, ticket.id)).status).toBe(413);
    expect(await api.deps.intents.findStates([ticket.id])).toEqual(new Map([[ticket.id, 'refused']]));
    expect((await api.call('GET', `/api/media/${ticket.id}`)).status).toBe(404);
  });
});

it('accepts any file where every kind is accepted, with its extension if it is declared raw', async () => {
  await withApi({ UPLOAD_ALLOWED_TYPES: '*/*' }, async (open) => {
    const ticket = await sign(open, { filename: 'Data.CSV', type: 'raw' });
    expect(ticket.fields['public_id']).toBe(`holdfast/${ticket.id}.csv`);
    await post(ticket, Buffer.from('a,b\n1,2\n'));
    expect(await complete(open, ticket.id)).toMatchObject({
      status: 202,
      body: { media: { resourceType: 'raw', publicId: `holdfast/${ticket.id}.csv` } },
    });
  });
});

it('knows no uploads but its own', async () => {
  const stranger = await complete(api, newMediaId());
  expect(stranger).toMatchObject({ status: 404, body: { code: 'MEDIA_NOT_FOUND' } });
  expect((await complete(api, 'cld-abc')).status).toBe(404);
  const uploaded = await api.addMedia();
  expect((await complete(api, uploaded.id)).status).toBe(404);
});

it('stays deleted when the client completes it once more', async () => {
  const ticket = await sign(api);
  await post(ticket);
  await complete(api, ticket.id);
  expect((await api.call('DELETE', `/api/media/${ticket.id}`)).status).toBe(202);
  // The client still has the form.
  await post(ticket);
  expect((await complete(api, ticket.id)).status).toBe(404);
  expect((await onHost(ticket.id))?.context['hf']).toBe('2');
});

it.each(['csv', 'CSV'])(
  'finds a raw file to whose name the host added the extension: %s',
  async (extension) => {
    await withApi({ UPLOAD_ALLOWED_TYPES: '*/*' }, async (open) => {
      const ticket = await sign(open, { filename: 'Data.CSV' });
      expect(ticket.fields['public_id']).toBe(`holdfast/${ticket.id}`);
      const { body } = await post(ticket, Buffer.from('a,b\n1,2\n'));
      const publicId = `holdfast/${ticket.id}.${extension}`;
      await emulator.assets.rename(body['asset_id'] as string, publicId, { quiet: true });
      const before = open.deps.host.meteredCalls();
      expect(await complete(open, ticket.id)).toMatchObject({
        status: 202,
        body: { media: { id: ticket.id, resourceType: 'raw', publicId, filename: 'Data.CSV' } },
      });
      expect(open.deps.host.meteredCalls()).toBe(before);
    });
  },
);

it('signs nothing while Redis is away', async () => {
  const own = await startRedisSandbox();
  const lonely = await startApi(own, { CLOUDINARY_URL: emulator.cloudinaryUrl });
  try {
    await own.kill();
    const answer = await lonely.call('POST', '/api/media/uploads/sign', {});
    expect(answer).toMatchObject({ status: 503, body: { code: 'QUEUE_UNAVAILABLE' } });
    expect(answer.headers.get('retry-after')).not.toBeNull();
  } finally {
    await lonely.close();
    await own.close();
  }
});

it('reports that the local host does not support direct uploads', async () => {
  const warn = vi.fn<Logger['warn']>();
  const log: Logger = { ...silentLogger, warn, child: () => log };
  const local = await startApi(redis, {}, log);
  warn.mockClear();
  try {
    for (const path of ['/api/media/uploads/sign', `/api/media/uploads/${newMediaId()}/complete`])
      expect(await local.call('POST', path, {})).toMatchObject({
        status: 501,
        body: { code: 'NOT_SUPPORTED' },
      });
    // A question of the settings: no failure is logged.
    expect(warn).not.toHaveBeenCalled();
  } finally {
    await local.close();
  }
});
