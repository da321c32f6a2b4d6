import { expect, it, onTestFinished, vi } from 'vitest';
import { startManagedRedis } from '@holdfast/shared/testing';
import { aPng, startApiPair, upload } from './support/api-pair.js';

const LAG_MS = 400;
/** So long the service lets a connection read where it has written. */
const OWN_WRITES_MS = 2 * LAG_MS + 300;

/** Two APIs whose reads come from a replica that is behind, by less than the profile allows for. */
async function startLaggingPair() {
  const managed = await startManagedRedis({ readsLagMs: LAG_MS });
  onTestFinished(() => managed.close());
  const pair = await startApiPair(managed, 'local', { REDIS_PROFILE: 'upstash' });
  const startedAt = performance.now();
  await vi.waitFor(() => expect(performance.now() - startedAt).toBeGreaterThan(OWN_WRITES_MS));
  return pair;
}

it('finds a file through another API right after the 202', async () => {
  const { a, b } = await startLaggingPair();
  const { body } = await upload(a, aPng());
  const found = await b.call('GET', `/api/media/${String(body.media.id)}`);
  expect(found).toMatchObject({ status: 200, body: { status: 'saving' } });
});

it('deletes a file through another API right after the 202', async () => {
  const { a, b } = await startLaggingPair();
  const { body } = await upload(a, aPng());
  const path = `/api/media/${String(body.media.id)}`;
  expect((await b.call('DELETE', path)).status).toBe(202);
  expect((await a.call('GET', path)).status).toBe(404);
});

it('passes the persistence test over a replica that is behind', async () => {
  const { a } = await startLaggingPair();
  const { status, body } = await a.call('GET', '/api/media/health');
  expect(body.persistence).toMatchObject({ testPassed: true });
  expect(status).toBe(200);
});
