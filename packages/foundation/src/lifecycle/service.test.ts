import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { silentLogger } from '../logging/index.js';
import { service, stack, type Service } from './index.js';

const soon = (): AbortSignal => AbortSignal.timeout(1_000);

function recorder(): {
  events: string[];
  of: (name: string, failStart?: boolean) => ReturnType<typeof service>;
} {
  const events: string[] = [];
  return {
    events,
    of: (name, failStart = false) =>
      service(name, {
        start: () => {
          events.push(`start ${name}`);
          if (failStart) throw new Error(name);
        },
        stop: () => {
          events.push(`stop ${name}`);
        },
      }),
  };
}

it('stops in the reverse of the order in which it started', async () => {
  const { events, of } = recorder();
  const both = stack([of('redis'), of('api')], silentLogger);
  await both.start();
  await both.stop(soon());
  expect(events).toEqual(['start redis', 'start api', 'stop api', 'stop redis']);
});

it('stops what had started when a later start fails', async () => {
  const { events, of } = recorder();
  const both = stack([of('redis'), of('api', true)], silentLogger);
  await expect(both.start()).rejects.toThrow('api');
  expect(events).toEqual(['start redis', 'start api', 'stop api', 'stop redis']);
});

it('keeps stopping the others when one never stops', async () => {
  const { events, of } = recorder();
  const failed: unknown[] = [];
  const stuck = service('stuck', { start: () => undefined, stop: () => new Promise(() => undefined) });
  const both = stack([of('redis'), stuck], {
    ...silentLogger,
    error: (event, fields) => void failed.push(event, fields?.['part']),
  });
  await both.start();
  await both.stop(AbortSignal.timeout(10));
  expect(failed).toEqual(['part.stop_failed', 'stuck']);
  expect(events).toContain('stop redis');
});

it('is safe to stop twice and before start', async () => {
  const { events, of } = recorder();
  const one = of('redis');
  await one.stop(soon());
  expect(events).toEqual([]);
  const two = of('api');
  await two.start();
  await Promise.all([two.stop(soon()), two.stop(soon())]);
  expect(events).toEqual(['start api', 'stop api']);
});

/** Two services of which the first takes until `go` to start and, like a real one, longer still to stop. */
function slowFirst(events: string[], fail = false): { services: Service[]; go: () => void } {
  let go = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  const slow = (name: string, start: () => Promise<void> | void): Service =>
    service(name, {
      start,
      stop: async () => {
        events.push(`stop ${name}`);
        await pause(20);
        events.push(`stopped ${name}`);
      },
    });
  const services = [
    slow('redis', () => void events.push('started redis')),
    slow('api', async () => {
      await gate;
      events.push('started api');
      if (fail) throw new Error('api');
    }),
    slow('worker', () => void events.push('started worker')),
  ];
  return { services, go };
}

it.each([false, true])(
  'abandons the start when it is stopped meanwhile, and stops in order (start fails: %s)',
  async (fail) => {
    const events: string[] = [];
    const { services, go } = slowFirst(events, fail);
    const all = stack(services, silentLogger);
    const starting = all.start();
    // Not before it waits for the api.
    await pause(5);
    const stopping = all.stop(soon());
    go();
    await expect(starting).rejects.toThrow(fail ? 'api' : 'shutting down');
    await Promise.all([stopping, all.stop(soon())]);
    expect(events).toEqual([
      'started redis',
      'started api',
      'stop api',
      'stopped api',
      'stop redis',
      'stopped redis',
    ]);
  },
);

it('may be started and stopped twice, and stopped before the start', async () => {
  const events: string[] = [];
  const bare = (): Service => ({
    name: 'bare',
    start: async () => void events.push('start'),
    stop: async () => void events.push('stop'),
  });
  const one = stack([bare()], silentLogger);
  await Promise.all([one.start(), one.start()]);
  await Promise.all([one.stop(soon()), one.stop(soon())]);
  expect(events).toEqual(['start', 'stop']);
  const other = stack([bare()], silentLogger);
  await other.stop(soon());
  await expect(other.start()).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  expect(events).toEqual(['start', 'stop']);
});

it('waits for all of those that stop together when one fails', async () => {
  const events: string[] = [];
  const failing: Service = {
    name: 'failing',
    start: async () => undefined,
    stop: () => Promise.reject(new Error('stuck')),
  };
  const slow = service('slow', {
    start: () => undefined,
    stop: async () => {
      await pause(20);
      events.push('stopped slow');
    },
  });
  const below = service('below', { start: () => undefined, stop: () => void events.push('stop below') });
  const all = stack([below, [failing, slow]], silentLogger);
  await all.start();
  await all.stop(soon());
  expect(events).toEqual(['stopped slow', 'stop below']);
});
