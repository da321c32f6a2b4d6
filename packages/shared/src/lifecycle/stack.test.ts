import { expect, it } from 'vitest';
import { service, stack } from './index.js';

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
  const both = stack([of('redis'), of('api')], { stopFailed: () => undefined });
  await both.start();
  await both.stop(soon());
  expect(events).toEqual(['start redis', 'start api', 'stop api', 'stop redis']);
});

it('stops what had started when a later start fails', async () => {
  const { events, of } = recorder();
  const both = stack([of('redis'), of('api', true)], { stopFailed: () => undefined });
  await expect(both.start()).rejects.toThrow('api');
  expect(events).toEqual(['start redis', 'start api', 'stop api', 'stop redis']);
});

it('goes on stopping the others when one never stops', async () => {
  const { events, of } = recorder();
  const failed: string[] = [];
  const stuck = service('stuck', { start: () => undefined, stop: () => new Promise(() => undefined) });
  const both = stack([of('redis'), stuck], { stopFailed: (name) => failed.push(name) });
  await both.start();
  await both.stop(AbortSignal.timeout(10));
  expect(failed).toEqual(['stuck']);
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
