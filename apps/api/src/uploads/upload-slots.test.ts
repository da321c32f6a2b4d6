import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { claimKey, createClaims, type HeldClaim } from '@holdfast/shared/idempotency';
import { createIntents } from '@holdfast/shared/intents';
import { silentLogger } from '@holdfast/foundation/logging';
import { newMediaId } from '@holdfast/shared/media';
import { closeRedis, connectRedis, isReadyWithin, redisKeys } from '@holdfast/shared/redis';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { createShutdown, type Shutdown } from '../http/shutdown.js';
import { createUploadSlots, type Upload, type UploadSlots } from './admission.js';

let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());

// Only what makes it beat: the connections to Redis need real time.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());
const BEAT_MS = 5_000;

/** Takes a slot; there is one. */
function take(slots: UploadSlots, req: IncomingMessage): Upload {
  const slot = slots.take('a', req);
  if (slot === null) throw new Error('no slot');
  return slot;
}

/** A request of which nothing more comes unless `socket.bytesRead` grows. */
function aRequest() {
  const socket = { bytesRead: 0 };
  const req = Object.assign(new EventEmitter(), { socket, complete: false, readableLength: 0 });
  return { socket, req: req as unknown as IncomingMessage };
}

async function setup() {
  const client = connectRedis(redis.settings.connection, 'request', silentLogger);
  onTestFinished(() => closeRedis(client));
  await isReadyWithin(client, 5_000);
  const keys = redisKeys('holdfast');
  const intents = createIntents(client, keys);
  const claims = createClaims(client, keys);
  const shutdown = createShutdown();
  const slots = createUploadSlots({ max: 10, intents, claims, shutdown, log: silentLogger });
  const claimFor = async (id: string): Promise<HeldClaim> => {
    const reply = await claims.claim(claimKey('anonymous', id), id, null);
    if (reply.state !== 'held') throw new Error('another has the claim');
    return reply.claim;
  };
  /** An upload that Redis has last heard of so long ago. */
  const begin = async (ms: number, keyed = false): Promise<Upload> => {
    const id = newMediaId();
    await intents.open(id, `holdfast/${id}`, 10);
    const claim = keyed ? await claimFor(id) : null;
    const slot = take(slots, aRequest().req);
    Object.assign(slot, { id, claim, acknowledgedAt: performance.now() - ms });
    onTestFinished(() => slot.end());
    return slot;
  };
  /** The heartbeats before it went over the same connection. */
  const answer = (): Promise<unknown> => intents.beat([]);
  return { begin, answer };
}

it.each([
  ['an upload for 20 s', false, 20_000],
  // Another try may take it over after 15 s.
  ['an upload with a key for 10 s', true, 10_000],
])('may acknowledge %s after Redis was last heard, and no longer', async (_what, keyed, sureMs) => {
  const { begin } = await setup();
  expect((await begin(sureMs - 1_000, keyed)).isFresh()).toBe(true);
  expect((await begin(sureMs, keyed)).isFresh()).toBe(false);
});

it.each([false, true])(
  'counts from the heartbeat that Redis answered last (with a key: %s)',
  async (keyed) => {
    const { begin, answer } = await setup();
    const heard = await begin(60_000, keyed);
    vi.advanceTimersByTime(BEAT_MS);
    await vi.waitFor(() => expect(heard.isFresh()).toBe(true));
    const unheard = await begin(60_000, keyed);
    redis.pause();
    onTestFinished(() => redis.resume());
    vi.advanceTimersByTime(BEAT_MS);
    await expect(answer()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    expect(unheard.isFresh()).toBe(false);
  },
);

/** Slots of uploads that hold nothing in Redis. */
const slotsOf = (shutdown: Shutdown): UploadSlots =>
  createUploadSlots({
    max: 10,
    intents: { beat: () => Promise.resolve([]) },
    claims: { renew: () => Promise.resolve([]) },
    shutdown,
    log: silentLogger,
  });

/** Whether a client that sends so many bytes a second is cut within an hour. */
function isCut(bytesPerSecond: number): boolean {
  vi.useFakeTimers();
  const { req, socket } = aRequest();
  const slot = take(slotsOf(createShutdown()), req);
  for (let second = 0; second < 3_600; second += 1) {
    socket.bytesRead += bytesPerSecond;
    vi.advanceTimersByTime(1_000);
  }
  slot.end();
  return slot.cancel.signal.aborted;
}

it('lets a phone with a poor connection finish, however large its file is', () => {
  expect(isCut(15_000)).toBe(false);
});

it('cuts a client that sends a byte now and then', () => {
  expect(isCut(1)).toBe(true);
});

it('cuts what runs when the process ends', () => {
  const shutdown = createShutdown();
  const slots = slotsOf(shutdown);
  const before = take(slots, aRequest().req);
  before.end();
  const after = take(slots, aRequest().req);
  shutdown.cutAll();
  after.end();
  expect(before.cancel.signal.aborted).toBe(false);
  expect(after.cancel.signal.reason).toMatchObject({ code: 'SHUTTING_DOWN' });
});
