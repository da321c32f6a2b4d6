import { request } from 'node:http';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { newMediaId } from '@holdfast/shared/media';
import { aPng } from '../../test/support/api-pair.js';
import { openUploadBench, type UploadBench } from '../../test/support/upload-bench.js';

let bench: UploadBench;
beforeEach(async () => {
  bench = await openUploadBench({ maxConcurrent: 32 });
});
afterEach(() => bench.close());

interface Media {
  id: string;
  status: string;
  createdAt: string;
}

const upload = async (): Promise<Media> => {
  const { status, body } = await bench.send([['file', aPng()]]);
  expect(status).toBe(202);
  return body['media'] as Media;
};

/** Uploads of which only a part has come. Ends them by cutting their connections. */
async function openHalf(count: number): Promise<() => void> {
  const before = bench.uploads.heartbeat.size();
  const requests = Array.from({ length: count }, () => {
    const half = request(bench.url, {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
    });
    half.on('error', () => undefined);
    half.write('--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n');
    half.write(aPng().subarray(0, 100));
    return half;
  });
  await vi.waitFor(() => expect(bench.uploads.heartbeat.size()).toBe(before + count));
  return () => {
    for (const half of requests) half.destroy();
  };
}

const intentStates = async (): Promise<Set<string | null>> => {
  const ids = await bench.redis.client.zrange('{holdfast}:intents', '0', '-1');
  return new Set(
    await Promise.all(ids.map((id) => bench.redis.client.hget(`{holdfast}:intent:${id}`, 'state'))),
  );
};

it('gives an upload the intent that was opened with the one before, and leaves none behind', async () => {
  const end = await openHalf(4);
  const open = vi.spyOn(bench.uploads.intents, 'open');
  const accept = vi.spyOn(bench.uploads.intents, 'accept');
  const before = Date.now();
  const media: Media[] = [];
  // What was opened counts for a tenth of a second, which a busy machine may need for itself.
  await vi.waitFor(async () => {
    media.push(await upload());
    expect(open.mock.calls.length).toBeLessThan(media.length);
  });
  expect(await bench.catalog.counts()).toMatchObject({ total: media.length });
  for (const { createdAt } of media) expect(Date.parse(createdAt)).toBeGreaterThanOrEqual(before);
  const ahead = accept.mock.calls.flatMap(([{ next }]) => next?.id ?? []);
  expect(ahead).toContain(media.at(-1)?.id);
  end();
  await vi.waitFor(async () => expect(await intentStates()).toEqual(new Set(['settled'])));
});

it('asks Redis itself for each upload that comes alone', async () => {
  const open = vi.spyOn(bench.uploads.intents, 'open');
  for (let count = 0; count < 3; count += 1) await upload();
  expect(open).toHaveBeenCalledTimes(3);
});

it('accepts an upload whose intent was wiped after it was opened ahead', async () => {
  const id = newMediaId();
  vi.spyOn(bench.uploads.openedAhead, 'take').mockReturnValueOnce(id);
  expect(await upload()).toMatchObject({ id, status: 'saving' });
  expect(await bench.catalog.find(id)).toMatchObject({ status: 'saving' });
});

it('refuses an upload whose intent the sweep gave up, and leaves nothing', async () => {
  const id = newMediaId();
  await bench.redis.client.hset(`{holdfast}:intent:${id}`, { state: 'dead', publicId: `holdfast/${id}` });
  vi.spyOn(bench.uploads.openedAhead, 'take').mockReturnValueOnce(id);
  const { status, body } = await bench.send([['file', aPng()]]);
  expect({ status, code: body['code'] }).toEqual({ status: 503, code: 'UPLOAD_EXPIRED' });
  expect(await bench.filesOnHost()).toEqual([]);
});
