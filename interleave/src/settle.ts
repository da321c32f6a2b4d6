import { createCatalogHost } from '@holdfast/shared/catalog-host';
import { pushJob, removeJob } from '@holdfast/shared/jobs';
import { sweepIntents } from '@holdfast/worker/watch/sweeps';
import type { Actor } from './actor.js';
import type { World } from './world.js';

/** Longer than anything waits before a sweep takes it up. */
const LATER_MS = 10 * 60_000;
const ROUNDS = 3;

/**
 * What the watch of a worker does about whatever was left unfinished, as if all waiting times were over: intents
 * without a heartbeat, those of refused uploads too, edits that the host lacks, deletions that it has not confirmed.
 */
export async function unfinished(actor: Actor, { sandbox: { client } }: World): Promise<void> {
  const { deps } = actor;
  const { keys, catalog, queues } = deps;
  for (const id of await client.zrange(keys.intents, '0', '-1'))
    await client.zadd(keys.intents, 'XX', Date.now() - LATER_MS, id);
  const { folder } = deps.settings.host;
  const signal = AbortSignal.timeout(20_000);
  const catalogHost = createCatalogHost(client, keys);
  await sweepIntents({ ...deps, catalogHost, folder }, signal).catch(() => undefined);
  for (const { id } of await catalog.drawUnpushed(10)) {
    const record = await catalog.find(id);
    if (record !== null) await queues.add(pushJob, { id, revision: record.revision, round: 7 });
  }
  for (const { id } of await catalog.drawDeleting(10)) {
    const record = await catalog.find(id);
    if (record === null) continue;
    const { publicId, resourceType } = record;
    await queues.add(removeJob, { id, publicId, resourceType, round: 7 });
  }
}

/** Everything that happens by itself once nobody acts any more: jobs, sweeps, syncs. */
export async function settle(world: World): Promise<void> {
  const { b, emulator, sandbox } = world;
  // Its holder has ended, and may have been unable to say so: a lease ends by itself.
  await sandbox.client.del(b.deps.keys.syncLease, b.deps.keys.sweepLease);
  await b.drain();
  // Uploads that were never finished carry a deadline by the host's clock.
  await emulator.configure({ clockOffsetMs: LATER_MS });
  for (let round = 0; round < ROUNDS; round += 1) {
    await unfinished(b, world);
    await b.drain();
    await world.sync();
    await b.drain();
  }
}
