import { once } from 'node:events';
import { IncomingMessage } from 'node:http';
import { connect, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { silentLogger } from '@holdfast/foundation/logging';
import { claimKey } from '@holdfast/shared/idempotency';
import { newMediaId } from '@holdfast/shared/media';
import { LOCAL_RESERVE_BYTES } from '@holdfast/shared/media-host';
import { cutClients } from '@holdfast/shared/testing';
import { aPng } from '../../test/support/api-pair.js';
import { LARGE, openUploadBench, type UploadBench, uploadLimits } from '../../test/support/upload-bench.js';
import { createShutdown } from '../http/shutdown.js';
import { createUploadSlots } from './admission.js';

let bench: UploadBench;
beforeEach(async () => {
  bench = await openUploadBench();
});
afterEach(() => bench.close());

describe('admission', () => {
  it.each([0, 200])('lets a client go that vanishes during it, %i bytes of its body later', async (sent) => {
    bench.redis.pause();
    for (let clients = 0; clients < uploadLimits.maxConcurrent; clients += 1) {
      const socket = connect(bench.port, '127.0.0.1').resume();
      const closed = once(socket, 'close');
      socket.write(
        'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 999\r\n\r\n',
      );
      socket.end(Buffer.alloc(sent, '-'));
      await closed;
    }
    bench.redis.resume();
    // Over the same connection, so answered after both have been admitted.
    await bench.uploads.intents.beat([]);
    await vi.waitFor(() => expect(bench.uploads.slots.running).toBe(0));
    await bench.expectNothingLeft();
    expect(await bench.send([['file', aPng()]])).toMatchObject({ status: 202 });
  });

  it('answers 503 at once while Redis is away, with nothing read or stored', async () => {
    await bench.redis.kill();
    const started = performance.now();
    const answer = await bench.send([['file', aPng(LARGE)]]);
    expect(answer).toMatchObject({ status: 503, body: { code: 'QUEUE_UNAVAILABLE' } });
    expect(answer.headers.get('retry-after')).not.toBeNull();
    expect(performance.now() - started).toBeLessThan(1_500);
    expect(await bench.filesOnHost()).toEqual([]);
  });

  it('answers 503 within a second while Redis is paused', async () => {
    bench.redis.pause();
    const started = performance.now();
    expect(await bench.send([['file', aPng()]])).toMatchObject({
      status: 503,
      body: { code: 'QUEUE_UNAVAILABLE' },
    });
    expect(performance.now() - started).toBeLessThan(1_500);
    bench.redis.resume();
  });

  it.each([{}, { 'Idempotency-Key': 'k' }])(
    'answers 503 within a second while Redis is paused, also where a command may take longer, with headers %o',
    async (headers) => {
      const patient = await openUploadBench({}, { REDIS_PROFILE: 'upstash' });
      onTestFinished(() => patient.close());
      patient.redis.pause();
      const started = performance.now();
      expect(await patient.send([['file', aPng()]], headers)).toMatchObject({
        status: 503,
        body: { code: 'QUEUE_UNAVAILABLE' },
      });
      expect(performance.now() - started).toBeLessThan(1_500);
      patient.redis.resume();
    },
  );

  it('answers 507 while the disk is full, and accepts uploads as soon as there is room', async () => {
    const { host } = bench.uploads;
    const freeBytes = host.freeBytes.bind(host);
    host.freeBytes = () => Promise.resolve(1_000);
    expect(await bench.send([['file', aPng()]])).toMatchObject({
      status: 507,
      body: { code: 'STORAGE_FULL' },
    });
    host.freeBytes = freeBytes;
    expect((await bench.send([['file', aPng()]])).status).toBe(202);
  });

  it('counts what an upload would take as taken, whatever is free now', async () => {
    const { host } = bench.uploads;
    host.freeBytes = () => Promise.resolve(LOCAL_RESERVE_BYTES + LARGE / 2);
    expect(await bench.send([['file', aPng(LARGE)]])).toMatchObject({
      status: 507,
      body: { code: 'STORAGE_FULL' },
    });
    expect((await bench.send([['file', aPng()]])).status).toBe(202);
  });

  it('refuses at once an upload while the circuit is open', async () => {
    const { host } = bench.uploads;
    const put = vi.spyOn(host, 'put');
    host.uploadRefusal = () => new HoldfastError('HOST_TIMEOUT', undefined, { retryAfterSeconds: 5 });
    const answer = await bench.send([['file', aPng()]]);
    expect(answer).toMatchObject({ status: 504, body: { code: 'HOST_TIMEOUT' } });
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(put).not.toHaveBeenCalled();
    await bench.expectNothingLeft();
  });

  it('answers 503 when too many jobs wait', async () => {
    await bench.redis.client.rpush('{holdfast}:save:wait', ...Array.from({ length: 1_001 }, String));
    expect(await bench.send([['file', aPng()]])).toMatchObject({ status: 503, body: { code: 'OVERLOADED' } });
  });

  it('accepts what was committed although Redis was emptied meanwhile', async () => {
    const put = bench.uploads.host.put.bind(bench.uploads.host);
    bench.uploads.host.put = async (request) => {
      const result = await put(request);
      await bench.redis.client.flushall();
      return result;
    };
    const { status, body } = await bench.send([['file', aPng()]]);
    expect({ status, body }).toMatchObject({ status: 202, body: { media: { status: 'saving' } } });
    const { id } = body['media'] as { id: string };
    expect(await bench.catalog.find(id)).toMatchObject({ id, status: 'saving' });
  });

  it('defers what was committed when Redis is lost before the acceptance, and catches up by itself', async () => {
    const put = bench.uploads.host.put.bind(bench.uploads.host);
    // The real host; only the moment at which Redis dies is chosen here.
    bench.uploads.host.put = async (request) => {
      const result = await put(request);
      await bench.redis.kill();
      return result;
    };
    const data = aPng();
    const { status, body } = await bench.send([['file', data]]);
    expect({ status, body }).toMatchObject({ status: 202, body: { media: { status: 'deferred' } } });
    const { id } = body['media'] as { id: string };
    expect(bench.uploads.deferred.find(id)).toMatchObject({ id, status: 'deferred' });
    await bench.redis.restart();
    await vi.waitFor(() => expect(bench.uploads.deferred.size()).toBe(0));
    expect(await bench.catalog.find(id)).toMatchObject({ status: 'saving' });
  });

  it('defers an upload where Redis falls silent right after it has opened the intent', async () => {
    const open = bench.uploads.intents.open;
    bench.uploads.intents.open = async (...of) => {
      const outcome = await open(...of);
      bench.redis.pause();
      return outcome;
    };
    const { status, body } = await bench.send([['file', aPng()]]);
    expect({ status, body }).toMatchObject({ status: 202, body: { media: { status: 'deferred' } } });
    const { id } = body['media'] as { id: string };
    bench.uploads.intents.open = open;
    expect((await bench.send([['file', aPng()]])).body['code']).toBe('QUEUE_UNAVAILABLE');
    bench.redis.resume();
    await vi.waitFor(async () => expect(await bench.catalog.find(id)).toMatchObject({ status: 'saving' }));
  });

  it('refuses an upload whose intent the sweep has given up, and leaves nothing', async () => {
    const open = bench.uploads.intents.open;
    bench.uploads.intents.open = async (id, ...of) => {
      const outcome = await open(id, ...of);
      await bench.redis.client.hset(`{holdfast}:intent:${id}`, 'state', 'dead');
      return outcome;
    };
    const { status, body } = await bench.send([['file', aPng()]]);
    expect({ status, code: body['code'] }).toEqual({ status: 503, code: 'UPLOAD_EXPIRED' });
    expect(await bench.filesOnHost()).toEqual([]);
  });

  it('stores the jobs of an accepted upload again when their connection was lost at that moment', async () => {
    const { client } = bench.redis;
    const accept = bench.uploads.intents.accept;
    bench.uploads.intents.accept = async (...of) => {
      const outcome = await accept(...of);
      expect(await cutClients(client, 'name=holdfast-producer ')).toBe(1);
      return outcome;
    };
    const { status, body } = await bench.send([['file', aPng()]]);
    expect({ status, body }).toMatchObject({ status: 202, body: { media: { status: 'saving' } } });
    const { id } = body['media'] as { id: string };
    const waiting = (queue: string) => client.lrange(`{holdfast}:${queue}:wait`, 0, -1);
    await vi.waitFor(async () =>
      expect([await waiting('save'), await waiting('verify')]).toEqual([
        [`save-${id}-1`],
        [`verify-${id}-1`],
      ]),
    );
  });

  it('answers 503 within a second to a request with a key too while Redis is paused', async () => {
    bench.redis.pause();
    const started = performance.now();
    expect(await bench.send([['file', aPng()]], { 'Idempotency-Key': 'k' })).toMatchObject({
      status: 503,
      body: { code: 'QUEUE_UNAVAILABLE' },
    });
    expect(performance.now() - started).toBeLessThan(1_500);
    bench.redis.resume();
  });

  it('answers 409 with Retry-After when another request with the key does not end in time', async () => {
    const { claims } = bench.uploads;
    const held = await claims.claim(claimKey('anonymous', 'k'), newMediaId(), null);
    expect(held.state).toBe('held');
    const answer = await bench.send([['file', aPng()]], { 'Idempotency-Key': 'k' });
    expect(answer).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_IN_PROGRESS' } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(10);
    expect(await bench.filesOnHost()).toEqual([]);
  });

  it('S19: finishes the key of a deferred upload when Redis is back', async () => {
    const put = bench.uploads.host.put.bind(bench.uploads.host);
    bench.uploads.host.put = async (request) => {
      const result = await put(request);
      await bench.redis.kill();
      return result;
    };
    const data = aPng();
    const key = { 'Idempotency-Key': 'k' };
    const first = await bench.send([['file', data]], key);
    expect(first).toMatchObject({ status: 202, body: { media: { status: 'deferred' } } });
    expect(await bench.send([['file', data]], key)).toMatchObject({ status: 503 });
    bench.uploads.host.put = put;
    await bench.redis.restart();
    await vi.waitFor(() => expect(bench.uploads.deferred.size()).toBe(0));
    const again = await bench.send([['file', data]], key);
    expect({ status: again.status, replayed: again.headers.get('idempotent-replayed') }).toEqual({
      status: 202,
      replayed: 'true',
    });
    expect(again.body['media']).toMatchObject({ id: (first.body['media'] as { id: string }).id });
    expect((await bench.catalog.counts()).total).toBe(1);
  });
});

describe('slots', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** A request of which so many bytes have come. */
  function aRequest() {
    const req = new IncomingMessage(new Socket());
    let bytes = 0;
    vi.spyOn(req.socket, 'bytesRead', 'get').mockImplementation(() => bytes);
    return { req, send: (count: number) => (bytes += count) };
  }

  it('gives up slow uploads after ten seconds, and none that moves or has arrived', () => {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const slots = createUploadSlots({
      max: 3,
      intents: { beat: () => Promise.resolve([]) },
      claims: { renew: () => Promise.resolve([]) },
      shutdown: createShutdown(),
      log: silentLogger,
    });
    const [crawling, moving, whole] = [aRequest(), aRequest(), aRequest()];
    const taken = [crawling, moving, whole].map(({ req }) => slots.take('a', req));
    whole.req.complete = true;
    now = 9_000;
    moving.send(1_000_000);
    expect(slots.take('a', aRequest().req)).toBeNull();
    now = 11_000;
    expect(slots.take('a', aRequest().req)).not.toBeNull();
    expect(taken.map((slot) => slot?.cancel.signal.aborted)).toEqual([true, false, false]);
    expect(taken[0]?.cancel.signal.reason).toMatchObject({ code: 'OVERLOADED' });
  });
});
