import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Intents } from '@holdfast/shared/intents';
import { silentLogger } from '@holdfast/foundation/logging';
import { newMediaId, timeOfId } from '@holdfast/shared/media';
import { aPng } from '../../test/support/api-pair.js';
import { openUploadBench, type UploadBench } from '../../test/support/upload-bench.js';
import { createIntentOpener, type IntentOpener, type OpenedIntent } from './open-intent.js';

describe('opening', () => {
  let running: number;
  let connected: boolean;
  let opener: IntentOpener;
  const open = vi.fn<Intents['open']>();
  const drop = vi.fn<Intents['drop']>();
  const opened = (): string[] => open.mock.calls.map(([id]) => id);

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    open.mockReset().mockResolvedValue('opened');
    drop.mockReset().mockResolvedValue();
    running = 8;
    connected = true;
    opener = createIntentOpener({
      intents: { open, drop },
      running: () => running,
      isConnected: () => connected,
      folder: 'ours',
      maxBacklog: 7,
      log: silentLogger,
    });
  });
  afterEach(() => {
    opener.stop();
    vi.useRealTimers();
  });

  /** Opens a block, for this upload and four more. */
  const openBlock = async (): Promise<OpenedIntent> => {
    const own = await opener.open(null);
    await vi.advanceTimersByTimeAsync(0);
    return own;
  };

  it('asks Redis for each upload while few are under way', async () => {
    running = 3;
    for (let count = 0; count < 3; count += 1) await openBlock();
    expect(opened()).toHaveLength(3);
  });

  it('opens the intents of the next uploads with one, each under its id and for one upload', async () => {
    const own = await openBlock();
    const next = [await opener.open(null), await opener.open(null), await opener.open(null)];
    expect(open.mock.calls).toEqual(opened().map((id) => [id, `ours/${id}`, 7]));
    expect(opened()).toHaveLength(5);
    const ids = [own, ...next].map(({ id }) => id);
    expect(new Set(ids).size).toBe(4);
    expect(opened()).toEqual(expect.arrayContaining(ids));
    expect(next.map(({ openedAt }) => openedAt)).toEqual(next.map(() => own.openedAt));
  });

  it.each([
    [2, 1],
    [64, 15],
  ])('opens half as many as are under way, at most what one script takes: %i', async (count, ahead) => {
    running = count === 2 ? 4 : count;
    await openBlock();
    expect(opened()).toHaveLength(1 + (count === 2 ? 2 : ahead));
  });

  it('opens one block at a time', async () => {
    await Promise.all([opener.open(null), opener.open(null), opener.open(null)]);
    expect(opened()).toHaveLength(3 + 4);
  });

  it('gives an upload with a claim the intent of its id, and the time of its first try', async () => {
    await openBlock();
    const id = newMediaId(1_000_000);
    expect(await opener.open(id)).toMatchObject({ id, startedAt: new Date(timeOfId(id)) });
    expect(opened().at(-1)).toBe(id);
  });

  it('asks Redis again where its last answer is old, the connection is away, or few are under way', async () => {
    await openBlock();
    const asked = async (): Promise<boolean> => {
      const before = open.mock.calls.length;
      await openBlock();
      return open.mock.calls.length > before;
    };
    expect(await asked()).toBe(false);
    connected = false;
    expect(await asked()).toBe(true);
    connected = true;
    expect(await asked()).toBe(false);
    running = 3;
    expect(await asked()).toBe(true);
    running = 8;
    expect(await asked()).toBe(false);
    vi.advanceTimersByTime(30);
    expect(await asked()).toBe(true);
  });

  it('refuses where too many jobs wait, and offers nothing to the next upload', async () => {
    open.mockResolvedValue('overloaded');
    await expect(opener.open(null)).rejects.toMatchObject({ code: 'OVERLOADED' });
    await vi.advanceTimersByTimeAsync(0);
    await expect(opener.open(null)).rejects.toMatchObject({ code: 'OVERLOADED' });
  });

  it('refuses within a second where Redis does not answer', async () => {
    open.mockReturnValue(new Promise(() => undefined));
    const asked = opener.open(null).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(600);
    expect(await asked).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
  });

  it('drops unused intents within two seconds, and leaves them to the sweep where Redis is away', async () => {
    await openBlock();
    drop.mockRejectedValue(new Error('away'));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(drop.mock.calls.map((ids) => ids.length)).toEqual([4]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(drop).toHaveBeenCalledOnce();
  });

  it('drops unused intents at the end, and those that are opened after it', async () => {
    await openBlock();
    vi.advanceTimersByTime(30);
    const late = opener.open(null);
    opener.stop();
    await late;
    await vi.advanceTimersByTimeAsync(0);
    expect(drop.mock.calls.map((ids) => ids.length)).toEqual([4, 4]);
  });
});

describe('uploads', () => {
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
    await vi.waitFor(() => expect(bench.uploads.leases.size()).toBe(count));
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

  /** The next upload takes this one. */
  const givenTo = (intent: Partial<OpenedIntent>): string => {
    const id = newMediaId();
    vi.spyOn(bench.uploads.intentOpener, 'open').mockResolvedValueOnce({
      id,
      openedAt: performance.now(),
      startedAt: new Date(),
      ...intent,
    });
    return id;
  };

  it('under load take intents that are open already, and leave none behind', async () => {
    const end = await openHalf(4);
    const ask = vi.spyOn(bench.uploads.intents, 'open');
    const isAhead = async (media: Media): Promise<boolean> => {
      const { id } = media;
      return ask.mock.calls.at(-1)?.[0] !== id && ask.mock.calls.some(([asked]) => asked === id);
    };
    // What was opened counts for a moment, which a busy machine may need for itself.
    await vi.waitFor(async () => expect(await isAhead(await upload())).toBe(true), { interval: 1 });
    end();
    await vi.waitFor(async () => expect(await intentStates()).toEqual(new Set(['settled'])), {
      timeout: 5_000,
    });
  });

  it('are deferred where Redis falls silent right after it has opened the intent', async () => {
    const { id } = await bench.uploads.intentOpener.open(null);
    givenTo({ id });
    bench.redis.pause();
    const { status, body } = await bench.send([['file', aPng()]]);
    expect({ status, body }).toMatchObject({ status: 202, body: { media: { id, status: 'deferred' } } });
    // The next one asks for itself, and is refused unread.
    expect((await bench.send([['file', aPng()]])).body['code']).toBe('QUEUE_UNAVAILABLE');
    bench.redis.resume();
    await vi.waitFor(async () => expect(await bench.catalog.find(id)).toMatchObject({ status: 'saving' }));
  });

  it('are accepted where their intent was wiped meanwhile', async () => {
    const id = givenTo({});
    expect(await upload()).toMatchObject({ id, status: 'saving' });
    expect(await bench.catalog.find(id)).toMatchObject({ status: 'saving' });
  });

  it('are refused and leave nothing where the sweep has given their intent up', async () => {
    const id = givenTo({});
    await bench.redis.client.hset(`{holdfast}:intent:${id}`, { state: 'dead', publicId: `holdfast/${id}` });
    const { status, body } = await bench.send([['file', aPng()]]);
    expect({ status, code: body['code'] }).toEqual({ status: 503, code: 'UPLOAD_EXPIRED' });
    expect(await bench.filesOnHost()).toEqual([]);
  });

  it('are as old as their intent', async () => {
    const begin = vi.spyOn(bench.uploads.leases, 'begin');
    const openedAt = performance.now() - 25_000;
    givenTo({ openedAt });
    await bench.send([['file', aPng()]]);
    expect(begin.mock.calls[0]?.[2]).toMatchObject({ openedAt });
  });
});
