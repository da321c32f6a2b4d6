import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { startRedisSandbox } from '@holdfast/shared/testing';
import { malformedRequest } from './malformed/malformed-request.js';
import { sendMalformed } from './malformed/send-malformed.js';
import { startApi } from './support/running-api.js';

/** Another run: MALFORMED_SEED=7 MALFORMED_COUNT=50000 (docs/chaos.md). */
const SEED = Number(process.env['MALFORMED_SEED'] ?? 1);
const COUNT = Number(process.env['MALFORMED_COUNT'] ?? 10_000);
/** Not looked at for growth: caches fill, code is compiled. */
const WARM_UP = 2_000;
const LANES = 12;
const GROWTH_BYTES = 8_000_000;

it('malformed requests of every sort get no 5xx and leave nothing behind', async () => {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  const emulator = await startCloudinaryEmulator();
  onTestFinished(() => emulator.close());
  const api = await startApi(redis, { CLOUDINARY_URL: emulator.cloudinaryUrl, API_KEYS: 'w:admin:w-secret' });
  onTestFinished(() => api.close());
  /** What stays: not what ends by itself (probes, tickets), nor the one key that health checks write. */
  const keys = async (): Promise<string[]> => {
    const all = (await redis.client.keys('*')).filter((key) => key !== api.deps.keys.barrier);
    const lives = await Promise.all(all.map((key) => redis.client.pttl(key)));
    return all.filter((_key, index) => lives[index] === -1).toSorted();
  };
  const sockets = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
  const seen: Record<number, number> = {};

  const run = async (from: number, to: number): Promise<void> => {
    let next = from;
    const lane = async (): Promise<void> => {
      while (next < to) {
        const index = next++;
        const request = malformedRequest(SEED, index);
        const { statuses, text, hung } = await sendMalformed(api.port, request);
        const wrong = hung || statuses.some((status) => status >= 500);
        // So that a failure tells which request it was.
        if (wrong)
          throw new Error(
            `seed ${String(SEED)}, request ${String(index)}: ${JSON.stringify({
              sent: request.bytes.toString('latin1').slice(0, 500),
              answer: text.slice(0, 1_000),
            })}`,
          );
        for (const status of statuses) seen[status] = (seen[status] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  };
  const atRest = () => vi.waitFor(() => expect(api.deps.uploadSlots.running).toBe(0), { interval: 50 });

  const keysBefore = await keys();
  const socketsBefore = sockets();
  await run(0, Math.min(WARM_UP, COUNT));
  await atRest();
  const heapBefore = usedHeap();
  await run(WARM_UP, COUNT);
  await atRest();

  await vi.waitFor(async () => expect(await keys()).toEqual(keysBefore));
  await vi.waitFor(() => expect(sockets()).toBeLessThanOrEqual(socketsBefore + 2));
  await vi.waitFor(() => expect(usedHeap() - heapBefore).toBeLessThan(GROWTH_BYTES));
  expect(await emulator.assets.count()).toBe(0);
  // The generator means what it says: refusals of many sorts, and most requests answered.
  for (const status of [400, 401, 404, 405, 413, 415, 431])
    expect(seen[status] ?? 0).toBeGreaterThan(COUNT / 1_000);
  expect(Object.values(seen).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(COUNT * 0.6);
  expect((await api.call('GET', '/readyz')).status).toBe(200);
});

/** Of this process, client and server together, after everything that can be thrown away was. */
function usedHeap(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
