import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { isReadyWithin, redisProfiles } from '@holdfast/shared/redis';
import { openBench } from '../../test/support/start-worker.js';
import { openDependencies } from '../dependencies.js';
import { createWatchRound } from './watch.js';

it.each(['standard', 'upstash'] as const)(
  'asks one command a look while nothing is under way, whatever else is due (%s)',
  async (name) => {
    const bench = await openBench({ REDIS_PROFILE: name });
    onTestFinished(() => bench.close());
    const deps = await openDependencies(bench.settings, silentLogger);
    onTestFinished(() => deps.close());
    await isReadyWithin(deps.background, 5_000);
    await vi.waitFor(() => deps.queues.queues.save.getWaitingCount(), { interval: 10 });
    const stopping = new AbortController();
    const onError = (error: Error): void => expect.fail(error.message);
    const round = createWatchRound(deps, [], stopping.signal, onError);
    // The first makes the schedule.
    await round.once();
    await round.ended();
    const opener = bench.sandbox.client.duplicate();
    const watcher = await opener.monitor();
    opener.disconnect();
    onTestFinished(() => watcher.disconnect());
    const sent: string[] = [];
    watcher.on('monitor', (_at: string, [word = '']: string[], source: string) => {
      if (source !== 'lua') sent.push(word.toLowerCase());
    });
    const start = performance.now();
    const clock = vi.spyOn(performance, 'now');
    onTestFinished(() => clock.mockRestore());
    const { watchIntervalMs } = redisProfiles[name];
    for (let ms = watchIntervalMs; ms <= 120_000; ms += watchIntervalMs) {
      clock.mockReturnValue(start + ms);
      await round.once();
    }
    clock.mockRestore();
    await bench.sandbox.client.echo('the end');
    await vi.waitFor(() => expect(sent.at(-1)).toBe('echo'));
    expect(sent.slice(0, -1)).toEqual(
      name === 'standard'
        ? ['exists', 'exists', 'evalsha', 'exists', 'exists', 'evalsha']
        : ['exists', 'evalsha', 'exists', 'evalsha'],
    );
  },
);
