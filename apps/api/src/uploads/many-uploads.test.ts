import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
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
  const before = bench.uploads.leases.size();
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
  await vi.waitFor(() => expect(bench.uploads.leases.size()).toBe(before + count));
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

describe('with four uploads under way', () => {
  let end: () => void;
  beforeEach(async () => {
    end = await openHalf(4);
  });
  afterEach(() => end());

  it('gives an upload the intent that was opened with the one before, and leaves none behind', async () => {
    const open = vi.spyOn(bench.uploads.intents, 'open');
    const accept = vi.spyOn(bench.uploads.intents, 'accept');
    const media: Media[] = [];
    // What was opened counts for a moment, which a busy machine may need for itself.
    await vi.waitFor(
      async () => {
        media.push(await upload());
        expect(open.mock.calls.length).toBeLessThan(media.length);
      },
      { interval: 1 },
    );
    expect(await bench.catalog.counts()).toMatchObject({ total: media.length });
    const ahead = accept.mock.calls.flatMap(([{ next }]) => next?.id ?? []);
    expect(ahead).toContain(media.at(-1)?.id);
    end();
    await vi.waitFor(async () => expect(await intentStates()).toEqual(new Set(['settled'])));
  });

  it('gives an upload with a key the intent of its claim', async () => {
    await bench.redis.client.hset('{holdfast}:sync:state', 'lastFullAt', new Date(0).toISOString());
    const take = vi.spyOn(bench.uploads.openedAhead, 'take');
    const open = vi.spyOn(bench.uploads.intents, 'open');
    await upload();
    const { body } = await bench.send([['file', aPng()]], { 'Idempotency-Key': 'k' });
    const { id } = body['media'] as Media;
    expect(open.mock.calls.map(([opened]) => opened)).toContain(id);
    expect(take).toHaveBeenCalledOnce();
  });

  it('drops what is open when uploads end', async () => {
    const accept = vi.spyOn(bench.uploads.intents, 'accept');
    const drop = vi.spyOn(bench.uploads.intents, 'drop');
    await upload();
    bench.uploads.stop();
    expect(drop).toHaveBeenCalledWith(accept.mock.calls[0]?.[0].next?.id);
  });

  it('loses nothing where Redis falls silent right after it has opened an intent', async () => {
    await vi.waitFor(
      async () => {
        await upload();
        const opened = bench.uploads.openedAhead.take();
        expect(opened).not.toBeNull();
        vi.spyOn(bench.uploads.openedAhead, 'take').mockReturnValueOnce(opened);
      },
      { interval: 1 },
    );
    bench.redis.pause();
    const { status, body } = await bench.send([['file', aPng()]]);
    expect({ status, body }).toMatchObject({ status: 202, body: { media: { status: 'deferred' } } });
    // The next one finds no proof, and is refused unread.
    expect((await bench.send([['file', aPng()]])).body['code']).toBe('QUEUE_UNAVAILABLE');
    bench.redis.resume();
    const { id } = body['media'] as Media;
    await vi.waitFor(async () => expect(await bench.catalog.find(id)).toMatchObject({ status: 'saving' }));
  });
});

it('asks Redis itself for each upload that comes alone', async () => {
  const open = vi.spyOn(bench.uploads.intents, 'open');
  for (let count = 0; count < 3; count += 1) await upload();
  expect(open).toHaveBeenCalledTimes(3);
});

describe('an intent opened ahead', () => {
  /** The next upload takes this one. */
  function openedAs(id: string): void {
    vi.spyOn(bench.uploads.openedAhead, 'take').mockReturnValueOnce({ id, at: performance.now() });
  }

  it('may have been wiped', async () => {
    const id = newMediaId();
    openedAs(id);
    expect(await upload()).toMatchObject({ id, status: 'saving' });
    expect(await bench.catalog.find(id)).toMatchObject({ status: 'saving' });
  });

  it('tells nothing of the time at which its upload came', async () => {
    openedAs(newMediaId(Date.now() - 60_000));
    const before = Date.now();
    expect(Date.parse((await upload()).createdAt)).toBeGreaterThanOrEqual(before);
  });

  it('may have been given up by the sweep: the upload is refused, and leaves nothing', async () => {
    const id = newMediaId();
    await bench.redis.client.hset(`{holdfast}:intent:${id}`, { state: 'dead', publicId: `holdfast/${id}` });
    openedAs(id);
    const { status, body } = await bench.send([['file', aPng()]]);
    expect({ status, code: body['code'] }).toEqual({ status: 503, code: 'UPLOAD_EXPIRED' });
    expect(await bench.filesOnHost()).toEqual([]);
  });

  it('makes an upload as old as it is itself', async () => {
    const begin = vi.spyOn(bench.uploads.leases, 'begin');
    const at = performance.now() - 25_000;
    vi.spyOn(bench.uploads.openedAhead, 'take').mockReturnValueOnce({ id: newMediaId(), at });
    await bench.send([['file', aPng()]]);
    expect(begin.mock.calls[0]?.[2]).toMatchObject({ openedAt: at });
  });
});
