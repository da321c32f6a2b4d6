import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { createMetricsRegistry } from '@holdfast/shared/metrics';
import { isReadyWithin } from '@holdfast/shared/redis';
import { aRecord } from '@holdfast/shared/testing';
import { openBench } from '../../test/support/start-worker.js';
import { openDependencies } from '../dependencies.js';
import { createWatchRound } from './watch.js';

const all = { limit: 10, order: 'newest' } as const;

it('makes the indexes of records that 0.1.0 wrote, at a start and beside a process of 0.1.0', async () => {
  const bench = await openBench();
  onTestFinished(() => bench.close());
  const events: string[] = [];
  const { catalog, keys } = bench;
  const redis = bench.sandbox.client;
  const leaveAsOldVersion = async (): Promise<string> => {
    const record = aRecord();
    await catalog.save(record);
    await redis.del(await redis.keys(keys.index('*')));
    await redis.zadd(keys.oldIndex('t:i'), Date.parse(record.createdAt), record.id);
    return record.id;
  };
  const deps = await openDependencies(bench.settings, silentLogger, createMetricsRegistry());
  onTestFinished(() => deps.close());
  await Promise.all(deps.connections.map((connection) => isReadyWithin(connection, 5_000)));
  const onError = (error: Error): void => expect.fail(error.message);
  const round = createWatchRound(
    { ...deps, log: { ...silentLogger, info: (event) => void events.push(event) } },
    [],
    new AbortController().signal,
    onError,
  );

  const before = await leaveAsOldVersion();
  await round.once();
  await round.ended();
  expect(await catalog.list(all)).toMatchObject({ items: [{ id: before }], total: 1 });
  expect(await catalog.hasOldIndexes()).toBe(false);

  const beside = await leaveAsOldVersion();
  for (let looks = 0; looks < 50; looks += 1) await round.once();
  await round.ended();
  expect((await catalog.list(all)).items.map(({ id }) => id).toSorted()).toEqual([before, beside].toSorted());
  expect(await catalog.hasOldIndexes()).toBe(false);

  // Not at each look, since it reads all records.
  const upgrades = (): number => events.filter((event) => event === 'indexes.upgrading').length;
  const earlier = upgrades();
  for (let looks = 0; looks < 90; looks += 1) {
    await leaveAsOldVersion();
    await round.once();
    await round.ended();
  }
  expect(upgrades() - earlier).toBe(2);
});
